package files

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zstd"
)

// source is a part opened for reading, uncompressed and without a byte order mark.
type source struct {
	io.Reader
	head  []byte // the first bytes, as far as they could be read
	plain bool   // not compressed, so that it may be read from the middle
	skip  int64  // bytes of the byte order mark
	err   error  // why head is short, nil if it is not or at the end of the part
	close []func() error
}

// Close closes the file and what decompresses it.
func (s *source) Close() error {
	var err error
	for i := len(s.close) - 1; i >= 0; i-- {
		err = errors.Join(err, s.close[i]())
	}
	return err
}

// watched is a reader that ends with its context and reports what it read.
type watched struct {
	ctx  context.Context
	in   io.Reader
	seen func(n int64)
}

func (w *watched) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.in.Read(b)
	if w.seen != nil {
		w.seen(int64(n))
	}
	return n, err
}

// opening says what is opened.
type opening struct {
	file, member string      // member is "" for the file itself
	from, to     int64       // bytes of the file on disk; from is 0 unless the part is plain
	sniff        bool        // the head is wanted
	seen         func(int64) // told how many bytes on disk were read; may be nil
}

// openPart opens a part.
func (f *Files) openPart(ctx context.Context, o opening) (*source, error) {
	file, err := os.Open(filepath.Join(f.root, filepath.FromSlash(o.file)))
	if err != nil {
		return nil, err
	}
	s := &source{close: []func() error{file.Close}}
	var in io.Reader = io.NewSectionReader(file, o.from, o.to-o.from)
	if o.member != "" {
		if in, err = s.member(file, o.to, o.member); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if err := s.decompress(&watched{ctx, in, o.seen}, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// member opens a member of a zip archive.
func (s *source) member(file *os.File, size int64, name string) (io.Reader, error) {
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, err
	}
	for _, m := range z.File {
		if m.Name != name {
			continue
		}
		if m.Flags&1 != 0 {
			return nil, errors.New("the member of the archive is encrypted; decrypt it")
		}
		in, err := m.Open()
		if err != nil {
			return nil, err
		}
		s.close = append(s.close, in.Close)
		return in, nil
	}
	return nil, fmt.Errorf("the archive has no member %q any more", name)
}

// decompress looks at the first bytes and puts what they ask for in between. A part that is read from its middle is plain.
func (s *source) decompress(in io.Reader, o opening) error {
	middle := o.from > 0
	b := bufio.NewReaderSize(in, 64<<10)
	magic, _ := b.Peek(4)
	s.Reader = b
	switch {
	case middle:
		s.plain = true
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(b)
		if err != nil {
			return err
		}
		s.Reader, s.close = z, append(s.close, z.Close)
	case bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return err
		}
		s.Reader, s.close = z, append(s.close, func() error { z.Close(); return nil })
	default:
		s.plain = true
	}
	if !middle {
		s.peek(o.sniff)
	}
	return nil
}

// peek drops the byte order mark and reads the head.
func (s *source) peek(sniff bool) {
	size := 16
	if sniff {
		size = headSize
	}
	b := bufio.NewReaderSize(s.Reader, size)
	s.Reader = b
	if mark, _ := b.Peek(len(bom)); string(mark) == bom {
		n, _ := b.Discard(len(bom))
		s.skip = int64(n)
	}
	if !sniff {
		return
	}
	if s.head, s.err = b.Peek(headSize); errors.Is(s.err, io.EOF) {
		s.err = nil
	}
}

// zipMembers lists the members of a zip archive that are no folders; nil if the file is no zip archive.
func (f *Files) zipMembers(name string, size int64) ([]*zip.File, error) {
	file, err := os.Open(filepath.Join(f.root, filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	var magic [4]byte
	if _, err := io.ReadFull(file, magic[:]); err != nil || string(magic[:]) != "PK\x03\x04" && string(magic[:]) != "PK\x05\x06" {
		return nil, nil //nolint:nilerr // too short for an archive
	}
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, err
	}
	out := []*zip.File{}
	for _, m := range z.File {
		if !m.FileInfo().IsDir() {
			out = append(out, m)
		}
	}
	return out, nil
}
