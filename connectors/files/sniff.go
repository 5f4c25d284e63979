package files

import (
	"bytes"

	"github.com/valyala/fastjson"
)

// format is how records lie in a part.
type format string

// The formats.
const (
	ndjson      format = "ndjson"       // one JSON object per line
	jsonArray   format = "json-array"   // [{...}, ...]
	jsonWrapper format = "json-wrapper" // {"Records": [{...}, ...]} or {"value": [...]}
	zeekTSV     format = "zeek-tsv"
	csvFormat   format = "csv"
	empty       format = "empty"
	unknown     format = ""
)

// headSize is how much of a part decides its format, in bytes.
const headSize = 256 << 10

// bom is the UTF-8 byte order mark.
const bom = "\xef\xbb\xbf"

// sniff recognises the format of a part from its first bytes. Names decide nothing. takes says whether some mapping takes a record: a
// line that looks like a wrapper but is a record itself is one.
func sniff(head []byte, takes func(raw []byte) bool) format {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(bom)), " \t\r\n")
	switch {
	case len(head) == 0:
		return empty
	case bytes.HasPrefix(head, []byte("#separator")), bytes.HasPrefix(head, []byte("#fields")):
		return zeekTSV
	case head[0] == '[' && startsJSONArray(head):
		return jsonArray
	case head[0] == '{' && startsWrapper(head) && !takes(firstLine(head)):
		return jsonWrapper
	case head[0] == '{', hasObjectLine(head):
		return ndjson
	case startsCSV(head):
		return csvFormat
	}
	return unknown
}

// startsJSONArray says whether an array of objects begins here.
func startsJSONArray(head []byte) bool {
	rest := bytes.TrimLeft(head[1:], " \t\r\n")
	return len(rest) == 0 || rest[0] == '{' || rest[0] == ']'
}

// hasObjectLine says whether some line is a JSON object, for logs that begin with garbage.
func hasObjectLine(head []byte) bool {
	lines := 0
	for line := range bytes.Lines(head) {
		if line = bytes.TrimSpace(line); len(line) > 1 && line[0] == '{' && fastjson.ValidateBytes(line) == nil {
			return true
		}
		if lines++; lines > probe {
			break
		}
	}
	return false
}

// startsCSV says whether the first line looks like a header of at least two columns.
func startsCSV(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return bytes.IndexByte(line, ',') > 0 && bytes.IndexByte(line, 0) < 0
}

func firstLine(head []byte) []byte {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return trimBreaks(line)
}
