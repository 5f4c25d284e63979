package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxRecord is the longest record that is read, in bytes. A longer one is a reject: memory stays bounded.
const maxRecord = 16 << 20

// record is one record as its part holds it. Its bytes are valid until the next one.
type record struct {
	offset int64 // in bytes of the uncompressed part
	raw    []byte
	table  *table // of the cells; nil if raw is JSON
	cells  [][]byte
	reason string // why it cannot be decoded, "" if it can
	open   bool   // nothing says that it is complete: it is the last line and has no line break
}

// framer cuts a part into records. next returns io.EOF after the last one; any other error means that the rest cannot be read.
type framer interface {
	next(r *record) error
}

// window is a buffer over a part in which framers look for the ends of records.
type window struct {
	in     io.Reader
	buf    []byte
	offset int64 // of buf[0] in the uncompressed part
	err    error // why there is no more, io.EOF at the end
}

// windowSize is what a window reads at once, in bytes.
const windowSize = 256 << 10

func newWindow(in io.Reader, offset int64) *window { return &window{in: in, offset: offset} }

// more reads further bytes behind those that are there; false if there are none.
func (w *window) more() bool {
	if w.err != nil {
		return false
	}
	if cap(w.buf)-len(w.buf) < windowSize/2 {
		grown := make([]byte, len(w.buf), max(2*len(w.buf), windowSize))
		copy(grown, w.buf)
		w.buf = grown
	}
	for range 100 {
		n, err := w.in.Read(w.buf[len(w.buf):cap(w.buf)])
		w.buf = w.buf[:len(w.buf)+n]
		if err != nil {
			w.err = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	w.err = io.ErrNoProgress
	return false
}

// drop forgets the first n bytes.
func (w *window) drop(n int) {
	w.buf = w.buf[n:]
	w.offset += int64(n)
}

// line is the result of cutting off a line.
type line struct {
	text       []byte // without the line break
	offset     int64
	terminated bool
	tooLong    bool // text is empty
}

// line cuts off the next line. At the end of a part that cannot be read further, an unfinished line belongs to the damage.
func (w *window) line() (line, error) {
	seen := 0
	for {
		if at := bytes.IndexByte(w.buf[seen:], '\n'); at >= 0 {
			l := line{text: w.buf[:seen+at], offset: w.offset, terminated: true}
			w.drop(seen + at + 1)
			return l.bounded(), nil
		}
		seen = len(w.buf)
		if seen > maxRecord {
			return w.skipLine()
		}
		if !w.more() {
			return w.lastLine()
		}
	}
}

func (w *window) lastLine() (line, error) {
	if !errors.Is(w.err, io.EOF) || len(w.buf) == 0 {
		return line{}, w.err
	}
	l := line{text: w.buf, offset: w.offset}
	w.drop(len(w.buf))
	return l.bounded(), nil
}

// bounded is the line, without its text if that is longer than a record may be.
func (l line) bounded() line {
	if len(l.text) > maxRecord {
		l.text, l.tooLong = nil, true
	}
	return l
}

// skipLine reads over the rest of a line that is too long.
func (w *window) skipLine() (line, error) {
	l := line{offset: w.offset, tooLong: true}
	for {
		if at := bytes.IndexByte(w.buf, '\n'); at >= 0 {
			w.drop(at + 1)
			l.terminated = true
			return l, nil
		}
		w.drop(len(w.buf))
		w.buf = nil
		if !w.more() {
			if errors.Is(w.err, io.EOF) {
				return l, nil
			}
			return line{}, w.err
		}
	}
}

func tooLong() string {
	return fmt.Sprintf("longer than %d MiB, the most that one record may have", maxRecord>>20)
}

// trimBreaks cuts carriage returns and line feeds off both ends, and nothing else.
func trimBreaks(b []byte) []byte { return bytes.Trim(b, "\r\n") }
