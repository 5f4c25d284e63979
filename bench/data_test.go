package bench_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Where things lie, relative to this folder. HARRIER_BENCH_DATA names another file of events.
const (
	defaultData = "../../shared/bench/bench_dev_1m.jsonl.gz"
	rulesGlob   = "../../shared/rules/sigmahq_*.tar.gz"
)

// dataFile returns the file of events, or skips.
func dataFile(tb testing.TB) string {
	tb.Helper()
	path := os.Getenv("HARRIER_BENCH_DATA")
	if path == "" {
		path = defaultData
	}
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("the benchmark events are absent: no file %s; put the shared folder beside the repository or name a file in HARRIER_BENCH_DATA", path)
	}
	return path
}

// cacheDir is where what is made of the events is kept between runs.
func cacheDir() string { return filepath.Join(os.TempDir(), "harrier-bench") }

// hashOf is a short hash of the contents and names of files.
func hashOf(paths ...string) (string, error) {
	h := sha256.New()
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s\n", filepath.Base(p))
		_, err = io.Copy(h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// lakeVersion hashes what decides which bytes a lake holds: mappings, the code that maps, the schema, and the lake
// but for its read side. A file that is new counts, so that a lake is rather made anew than used when it is out of date.
func lakeVersion() (string, error) {
	readSide := []string{"search.go", "window.go", "translate.go", "sql.go", "pattern.go", "batch.go", "describe.go", "engine.go", "doc.go"}
	var paths []string
	for _, glob := range []string{"../hunt/mapping/builtin/*.yaml", "../hunt/mapping/*.go", "../hunt/schema.go", "../schema/ocsf/ocsf.yaml", "../connectors/lake/*.go"} {
		found, err := filepath.Glob(glob)
		if err != nil {
			return "", err
		}
		for _, p := range found {
			skip := strings.HasSuffix(p, "_test.go") || strings.Contains(p, "/inverse") || strings.Contains(p, "lake/") && slices.Contains(readSide, filepath.Base(p))
			if !skip {
				paths = append(paths, p)
			}
		}
	}
	return hashOf(paths...)
}

// once makes a folder by calling fill with a temporary one, and keeps it only if fill succeeded.
func once(dir string, fill func(dir string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), ".making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := fill(temp); err != nil {
		return err
	}
	return os.Rename(temp, dir)
}

// unpacked is the events as their sources wrote them, one file of JSON lines for each source.
type unpacked struct {
	dir   string
	Lines map[string]int64 `json:"lines"` // by source
}

const countsFile = "lines.json"

// unpack takes the events out of the lines of the benchmark, once.
func unpack(data string) (*unpacked, error) {
	key, err := hashOf(data)
	if err != nil {
		return nil, err
	}
	u := &unpacked{dir: filepath.Join(cacheDir(), "native-"+key)}
	err = once(u.dir, func(dir string) error {
		fmt.Printf("bench: unpacking %s, once\n", filepath.Base(data))
		return u.fill(data, dir)
	})
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(u.dir, countsFile))
	if err != nil {
		return nil, err
	}
	return u, json.Unmarshal(text, u)
}

func (u *unpacked) logs() string { return filepath.Join(u.dir, "logs") }

func (u *unpacked) fill(data, dir string) error {
	in, err := os.Open(data)
	if err != nil {
		return err
	}
	defer in.Close()
	plain, err := gzip.NewReader(bufio.NewReaderSize(in, 1<<20))
	if err != nil {
		return err
	}
	out := splitter{dir: filepath.Join(dir, "logs"), lines: map[string]int64{}, files: map[string]*bufio.Writer{}}
	if err := os.Mkdir(out.dir, 0o755); err != nil {
		return err
	}
	err = errors.Join(out.all(plain), out.close())
	if err != nil {
		return err
	}
	text, err := json.Marshal(unpacked{Lines: out.lines})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, countsFile), text, 0o644)
}

// splitter writes each event to the file of its source.
type splitter struct {
	dir   string
	lines map[string]int64
	files map[string]*bufio.Writer
	open  []*os.File
}

func (s *splitter) all(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	for lines.Scan() {
		source, event, err := unwrap(lines.Bytes())
		if err != nil {
			return err
		}
		w, err := s.file(source)
		if err != nil {
			return err
		}
		s.lines[source]++
		if _, err = w.Write(append(event, '\n')); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (s *splitter) file(source string) (*bufio.Writer, error) {
	if w := s.files[source]; w != nil {
		return w, nil
	}
	f, err := os.Create(filepath.Join(s.dir, source+".ndjson"))
	if err != nil {
		return nil, err
	}
	s.open = append(s.open, f)
	s.files[source] = bufio.NewWriterSize(f, 1<<20)
	return s.files[source], nil
}

func (s *splitter) close() error {
	var failed []error
	for _, w := range s.files {
		failed = append(failed, w.Flush())
	}
	for _, f := range s.open {
		failed = append(failed, f.Close())
	}
	return errors.Join(failed...)
}

// unwrap takes source and event out of a line `{"_dom":..,"_src":"SOURCE",..,"e":EVENT}` without touching the event's bytes. The
// result is cut out of line.
func unwrap(line []byte) (source string, event []byte, err error) {
	_, rest, ok := bytes.Cut(line, []byte(`"_src":"`))
	name, rest, named := bytes.Cut(rest, []byte(`"`))
	_, event, found := bytes.Cut(rest, []byte(`,"e":`))
	event, closed := bytes.CutSuffix(event, []byte("}"))
	if !ok || !named || !found || !closed {
		return "", nil, fmt.Errorf("no line of the benchmark: %.80q", line)
	}
	return string(name), event[:len(event):len(event)], nil
}
