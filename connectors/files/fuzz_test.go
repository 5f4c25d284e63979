package files_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/harrier-xdr/harrier/connectors/files"
)

// FuzzOpen reads arbitrary bytes as a file that begins like each format in turn. Nothing panics, every record is a row or a reject,
// every row is found or a duplicate or without a time, and a cache of nothing gives the same.
func FuzzOpen(f *testing.F) {
	begin := []string{"", lines(proc(1)), "[" + proc(1) + ",", `{"Records":[` + proc(1) + `,`, zeekDNS + "1714550400\te\ta\n", "kind,when\nproc,2024-05-01T08:00:00Z\n", "\x1f\x8b", "PK\x03\x04", "\x28\xb5\x2f\xfd"}
	seeds := 0
	for _, text := range []string{
		"", "\n\n", proc(2), "]", "}", "]}", `"`, `{"a":"\"}"},`, "1714550401\t\"x\n", "#fields\ta\n#types\n", "#separator", "#separator \\x", "proc,\"a\nb\"\n", "proc,a\"b,c,d\n",
		"\x00\xff\xfe", "[[[[", "{{{{", `,,1,null,"x",{}`, `],"value":[{}]}`, "\r", mark, mark + mark,
	} {
		seeds++
		f.Add(uint8(seeds), []byte(text))
		f.Add(uint8(seeds/2), []byte(text))
	}
	set := tinySet(f)
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		path := filepath.Join(t.TempDir(), "part")
		if err := os.WriteFile(path, append([]byte(begin[int(kind)%len(begin)]), data...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, files.Aged(), files.Aged()); err != nil {
			t.Fatal(err)
		}
		cached, bare := openFiles(t, files.Config{Path: path}, set), openFiles(t, files.Config{Path: path, CacheBytes: 1}, set)
		var rows int64
		for _, p := range cached.Parts() {
			if rows += p.Rows; p.Records != p.Rows+p.Rejected {
				t.Errorf("%+v", p)
			}
		}
		var found int64
		for _, s := range describe(t, cached).Streams {
			r := everything(s.Name, s.Class.Name)
			a, b := search(t, cached, r), search(t, bare, r)
			if !slices.Equal(a.raw, b.raw) || *a.end != *b.end || len(a.lost) != len(b.lost) {
				t.Errorf("with a cache %q %+v, without %q %+v", a.raw, a.end, b.raw, b.end)
			}
			found += int64(len(a.raw)) + a.end.Duplicates + a.end.Untimed
		}
		if found != rows {
			t.Errorf("%d rows are there, %d accounted for", rows, found)
		}
	})
}

// FuzzGrow cuts a log anywhere and looks at it in between: the answer is that of the whole.
func FuzzGrow(f *testing.F) {
	for i, text := range []string{lines(proc(1), proc(2)), zeekDNS + "1714550400\te\ta\n1714550401\te\tb\n", "\n" + proc(1) + "\r\n\r\n" + proc(2) + "\n"} {
		for at := range 10 {
			f.Add([]byte(text), uint16(at*(i+7)), uint16(at*(i+20)))
		}
	}
	set := tinySet(f)
	f.Fuzz(func(t *testing.T, data []byte, first, second uint16) {
		path := filepath.Join(t.TempDir(), "part")
		one := int(first) % (len(data) + 1)
		two := one + int(second)%(len(data)-one+1)
		appendFile(t, path, string(data[:one]))
		grown := openFiles(t, files.Config{Path: path}, set)
		appendFile(t, path, string(data[one:two]))
		describe(t, grown)
		appendFile(t, path, string(data[two:]))
		describe(t, grown)
		describe(t, grown)
		whole := openFiles(t, files.Config{Path: path}, set)
		describe(t, whole)
		if a, b := counts(grown), counts(whole); a != b {
			t.Errorf("grown %+v, at once %+v", a, b)
		}
	})
}

func counts(f *files.Files) files.Counts {
	var out files.Counts
	for _, p := range f.Parts() {
		c := p.Counts
		out = files.Counts{Records: out.Records + c.Records, Rows: out.Rows + c.Rows, Rejected: out.Rejected + c.Rejected, Untimed: out.Untimed + c.Untimed}
	}
	return out
}
