package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"unicode"
	"unicode/utf8"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

const file = "plugins/python/harrier_plugin/tables.json"

// tables is what the Python side needs to know.
type tables struct {
	Upper   string                      `json:"upper"` // the runes that fold to others
	Lower   string                      `json:"lower"` // what they fold to, in the same order
	Classes map[string]class            `json:"classes"`
	Enums   map[string]map[string]int64 `json:"enums"` // name of the table -> caption -> number
}

type class struct {
	UID      int64               `json:"uid"`
	Category int64               `json:"category"`
	Columns  map[string]column   `json:"columns"`
	Lists    map[string][]string `json:"lists"` // arrays of objects -> fields of an object, in order
}

type column struct {
	Type string `json:"type"`
	List string `json:"list,omitempty"` // array of objects that the column is in
	Enum string `json:"enum,omitempty"`
}

func main() {
	out := io.Writer(os.Stdout)
	var text bytes.Buffer
	err := write(&text)
	if err == nil && len(os.Args) > 1 && os.Args[1] == "-" {
		_, err = out.Write(text.Bytes())
	} else if err == nil {
		err = os.WriteFile(file, text.Bytes(), 0o644) //nolint:gosec // a source file
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func write(to io.Writer) error {
	t := tables{Classes: map[string]class{}, Enums: map[string]map[string]int64{}}
	var upper, lower []rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		if folded, _ := utf8.DecodeRuneInString(hunt.Fold(string(r))); folded != r {
			upper, lower = append(upper, r), append(lower, folded)
		}
	}
	t.Upper, t.Lower = string(upper), string(lower)
	for i := range ocsf.Classes() {
		c := &ocsf.Classes()[i]
		t.Classes[c.Name] = t.classOf(c)
	}
	e := json.NewEncoder(to)
	e.SetIndent("", " ")
	return e.Encode(t)
}

func (t *tables) classOf(c *ocsf.Class) class {
	out := class{UID: c.UID, Category: c.Category, Columns: map[string]column{}, Lists: map[string][]string{}}
	for i := range c.Columns {
		col := &c.Columns[i]
		one := column{Type: col.Type.String(), List: col.List}
		if col.Enum != nil {
			one.Enum = col.Enum.Name
			t.enum(col.Enum)
		}
		out.Columns[col.Path] = one
		if col.List != "" && out.Lists[col.List] == nil {
			for _, sub := range c.List(col.List) {
				out.Lists[col.List] = append(out.Lists[col.List], sub.Leaf())
			}
		}
	}
	for _, path := range []string{ocsf.ColUID, ocsf.ColTime, ocsf.ColRaw, ocsf.ColUnmapped} {
		out.Columns[path] = column{Type: c.Column(path).Type.String()}
	}
	return out
}

func (t *tables) enum(e *ocsf.EnumTable) {
	values := map[string]int64{}
	for _, v := range e.Values {
		values[v.Name] = v.ID
	}
	t.Enums[e.Name] = values
}
