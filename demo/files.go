package demo

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// outputs are the open files.
type outputs struct {
	sysmon, security, powershell []output // by index of the host
	conn, dns, http, ssl         output
	trail, signIns               output
	all                          []output
}

func openOutputs(dir string, w *world, start, end instant) (*outputs, error) {
	for _, name := range []string{"endpoint", "network", "cloud", "identity"} {
		if err := makeEmpty(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	out := &outputs{}
	if err := out.open(dir, w, start, end); err != nil {
		return nil, errors.Join(err, out.close())
	}
	return out, nil
}

func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("demo: folder for the output: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("demo: folder for the output: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("demo: %s is not empty: delete it or give another folder", dir)
	}
	return nil
}

func (out *outputs) open(dir string, w *world, start, end instant) error {
	for _, h := range w.hosts {
		if err := out.openHost(dir, h); err != nil {
			return err
		}
	}
	if err := out.openZeek(dir, start, end); err != nil {
		return err
	}
	f, err := createFile(filepath.Join(dir, "identity", "signins.json"))
	if err != nil {
		return err
	}
	out.signIns = &lineFile{file: f, kind: identity}
	out.trail = &trailFile{dir: filepath.Join(dir, "cloud")}
	out.all = append(out.all, out.signIns, out.trail)
	return nil
}

// openHost opens one file per event log channel: a format each.
func (out *outputs) openHost(dir string, h *host) error {
	channels := []struct {
		prefix string
		to     *[]output
	}{{"sysmon", &out.sysmon}, {"security", &out.security}, {"powershell", &out.powershell}}
	for i, c := range channels {
		f, err := createFile(filepath.Join(dir, "endpoint", c.prefix+"-"+strings.ToLower(h.name)+".jsonl"))
		if err != nil {
			return err
		}
		log := &logFile{file: f, number: int64(10000*(h.index+1) + 3000*i)}
		*c.to, out.all = append(*c.to, log), append(out.all, log)
	}
	return nil
}

func (out *outputs) openZeek(dir string, start, end instant) error {
	logs := []struct {
		log zeekLog
		to  *output
	}{{connLog(), &out.conn}, {dnsLog(), &out.dns}, {httpLog(), &out.http}, {sslLog(), &out.ssl}}
	for _, l := range logs {
		f, err := createFile(filepath.Join(dir, "network", l.log.path+".log"))
		if err != nil {
			return err
		}
		z := &lineFile{file: f, kind: network, tail: "#close\t" + end.format(layoutZeek) + "\n"}
		*l.to, out.all = z, append(out.all, z)
		if _, err := f.WriteString(l.log.header(start)); err != nil {
			return f.failed(err)
		}
	}
	return nil
}

func (out *outputs) close() error {
	var errs []error
	for _, o := range out.all {
		errs = append(errs, o.close())
	}
	return errors.Join(errs...)
}

// file is a buffered file whose errors name it.
type file struct {
	*bufio.Writer
	under io.WriteCloser
	path  string
}

func createFile(path string) (*file, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("demo: output file: %w", err)
	}
	return &file{bufio.NewWriterSize(f, 32<<10), f, path}, nil
}

func (f *file) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("demo: write %s: %w", f.path, err)
}

func (f *file) close() error { return f.failed(errors.Join(f.Flush(), f.under.Close())) }

// logFile is one channel of one Windows host. It numbers its records as they
// are written, which is what the event log service does.
type logFile struct {
	*file
	number int64
	prefix []byte
}

func (f *logFile) domain() domain { return endpoint }

func (f *logFile) write(_ instant, body []byte) error {
	f.number++
	f.prefix = append(f.prefix[:0], `{"RecordNumber":`...)
	f.prefix = append(strconv.AppendInt(f.prefix, f.number, 10), ',')
	f.Write(f.prefix) // bufio keeps the first error and returns it from every later call
	f.Write(body[1:])
	return f.failed(f.WriteByte('\n'))
}

// lineFile holds whole lines as they come.
type lineFile struct {
	*file
	kind domain
	tail string
}

func (f *lineFile) domain() domain { return f.kind }

func (f *lineFile) write(_ instant, body []byte) error {
	_, err := f.Write(body)
	return f.failed(err)
}

func (f *lineFile) close() error {
	_, err := f.WriteString(f.tail)
	return errors.Join(f.failed(err), f.file.close())
}

// trailFile is CloudTrail's delivery to a bucket: one compressed document a day.
type trailFile struct {
	dir  string
	day  string
	file *file
	zip  *gzip.Writer
}

func (f *trailFile) domain() domain { return cloud }

func (f *trailFile) write(at instant, body []byte) error {
	separator := ","
	if day := at.format(layoutDay); day != f.day {
		if err := f.turn(day); err != nil {
			return err
		}
		separator = `{"Records":[`
	}
	if _, err := io.WriteString(f.zip, separator); err != nil {
		return f.file.failed(err)
	}
	_, err := f.zip.Write(body)
	return f.file.failed(err)
}

// turn closes the document of the last day and begins that of the next. The
// gzip header carries no time, so that the bytes depend on the records only.
func (f *trailFile) turn(day string) error {
	if err := f.close(); err != nil {
		return err
	}
	next, err := createFile(filepath.Join(f.dir, accountID+"_CloudTrail_"+homeRegion+"_"+day+".json.gz"))
	if err != nil {
		return err
	}
	f.day, f.file, f.zip = day, next, gzip.NewWriter(next)
	return nil
}

func (f *trailFile) close() error {
	if f.file == nil {
		return nil
	}
	_, err := io.WriteString(f.zip, "]}\n")
	err = errors.Join(err, f.zip.Close())
	done := f.file
	f.file = nil
	return errors.Join(done.failed(err), done.close())
}
