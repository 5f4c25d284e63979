package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
)

// decodeTable decodes a table of uid, time, metadata.uid and dst_endpoint.port.
func decodeTable(body []byte) (string, *documentDecoder, error) {
	src, r := testSource(false)
	r.Columns = []string{"metadata.uid", "dst_endpoint.port"}
	d := newDocumentDecoder(hunt.Identity{Tenant: "t", Connection: "c"}, src, r)
	n, err := d.table(body)
	if err != nil || n == 0 {
		return "", d, err
	}
	return rowTexts(d.take().rec), d, nil
}

// tableHead is what stands before the values of a table that decodeTable takes.
const tableHead = `{"took":7,"is_partial":false,"columns":[{"name":"time","type":"long"},{"name":"metadata.uid","type":"keyword"},{"name":"uid","type":"keyword"},{"name":"dst_endpoint.port","type":"long"}]`

func TestDecodeTable(t *testing.T) {
	for body, want := range map[string]string{
		tableHead + `,"values":[[1,2,-3],["m",null,"C:\\a \"b\" \u00e9\n"],["a","b","c"],[443,null,-8.0]]}`: "a1 \"m\" 443\nb2\nc-3 \"C:\\\\a \\\"b\\\" é\\n\" -8\n",
		tableHead + ` , "values" : [ [ 1 ] , [ ["x"] ] , [ "a" ] , [ [80,81] ] ] } `:                        "a1 \"x\"\n",
		tableHead + `,"values":[[1],[""],["a"],["7"]],"later":{"a":[1]}}`:                                   "a1 \"\" 7\n",
		tableHead + `,"values":[[],[],[],[]]}`:                                                              "",
		tableHead + `,"values":[]}`:                                                                         "",
		strings.Replace(tableHead, `"is_partial":false,`, "", 1) + `,"values":[[1],["m"],["a"],[0]]}`:       "a1 \"m\" 0\n",
	} {
		if got, _, err := decodeTable([]byte(body)); err != nil || got != want {
			t.Errorf("%s\ngot %q, %v\nwant %q", body, got, err, want)
		}
	}
}

// TestDecodeNoTable: what lacks a column, a value or shards is no table, and nothing of it is taken.
func TestDecodeNoTable(t *testing.T) {
	good := tableHead + `,"values":[[1,2],["m","n"],["a","b"],[443,22]]}`
	for _, change := range [][2]string{
		{`"is_partial":false`, `"is_partial":true`}, {`[443,22]`, `[443]`}, {`[443,22]`, `[443,22,23]`}, {`,[443,22]`, ``}, {`[443,22]`, `[443,22],[1,2]`},
		{`"time","type":"long"`, `"time","type":"unsupported"`}, {`{"name":"time","type":"long"},`, ``}, {`"name":"uid"`, `"name":"time"`},
		{`"name":"uid"`, `"name":"other"`}, {`[1,2]`, `{"a":1}`}, {`443`, `truth`}, {`443`, `01`}, {`}]`, `}],`}, {`"values"`, `"rows"`}, {`,"values"`, `,"values":[[1,2],["m","n"],["a","b"],[443,22]],"values"`},
	} {
		body := strings.Replace(good, change[0], change[1], 1)
		text, d, err := decodeTable([]byte(body))
		if rec := d.take().rec; change[0] == `"values"` && err == nil && text == "" && rec == nil {
			continue // no values are no rows, of which others were promised
		} else if err == nil || rec != nil {
			t.Errorf("%s passes for a table: %s, %v", body, text, rec)
		}
	}
	for i := range good {
		if _, _, err := decodeTable([]byte(good[:i])); err == nil {
			t.Errorf("a table cut at byte %d of %d passes", i, len(good))
		}
	}
}

// FuzzDecodeTable: values are the same in a table and in hits, whatever stands there.
func FuzzDecodeTable(f *testing.F) {
	f.Add([]byte(`"C:\\Windows"`), []byte(`443`))
	f.Add([]byte(` null `), []byte(`"12"`))
	f.Add([]byte(`"\ud83d\ude00"`), []byte(`[1]`))
	f.Add([]byte(`-1.5`), []byte(`true`))
	f.Fuzz(func(t *testing.T, text, number []byte) {
		for _, v := range [][]byte{text, number} {
			if !json.Valid(v) || hasTwins(v) || bytes.ContainsAny(v, "\x7f:[{") {
				return // parsers differ about these, and what is several values in a table is one array of them
			}
		}
		got, d, err := decodeTable(fmt.Appendf(nil, `%s,"values":[[1,2],[%s,"after"],["a","b"],[%s,7]]}`, tableHead, text, number))
		if err != nil {
			t.Fatalf("a valid table is refused: %v", err)
		}
		hits, plain, err := decodeAll(t, byColumn(fmt.Sprintf(`{"uid":["a"],"time":[1],"metadata.uid":[%s],"dst_endpoint.port":[%s]}`, text, number),
			`{"uid":["b"],"time":[2],"metadata.uid":["after"],"dst_endpoint.port":[7]}`), false, true)
		missing := strings.Contains(string(text)+string(number), "null") // which is no value of a table, and an odd one of a hit
		if err != nil || got != rowTexts(hits.rec) || d.nulled != plain.nulled && !missing {
			t.Fatalf("%v; in a table, %d of another type\n%sin hits, %d\n%s", err, d.nulled, got, plain.nulled, rowTexts(hits.rec))
		}
	})
}
