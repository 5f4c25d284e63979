package elastic

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// An index holds the events of one stream and class. Its mapping is strict: a document with a field that the mapping does not list is
// refused, because a field that is not indexed would be found by no query and nobody would know.
//
// All text is `keyword`, also command lines. OpenSearch 2.19's `wildcard` type does not find some values that hold a backslash or a NUL
// byte, and paths are full of backslashes; Elasticsearch's comes with a licence of its own and not with every build. Values that are too
// long for the index are listed in harrier.long, so a search finds them all the same.

// longest is the most UTF-16 units of an indexed text. Lucene takes terms of 32,766 bytes, and a unit is at most three bytes.
const longest = 8191

// lowerField is the sub-field of columns that hold identifiers and names (hashes, hosts, users, files) with the same value in lower case. Lists of thousands of such values are looked up in it as one query, where without case every value would be a clause. Other
// columns are not asked for long lists, so they have none and take less room.
const lowerField = "lower"

// metaVersion is the version of what _meta holds and of the form of documents.
const metaVersion = 1

// indexMeta is what the mapping of an index says of its stream, under _meta.harrier.
type indexMeta struct {
	Version    int                          `json:"version"`
	Tenant     string                       `json:"tenant"`
	Connection string                       `json:"connection"`
	Class      string                       `json:"class"`  // OCSF name
	Stream     string                       `json:"stream"` // name, unique within the class
	Attributes []string                     `json:"attributes"`
	Closed     map[string][]json.RawMessage `json:"closed,omitempty"`
}

// metaOf describes a stream.
func metaOf(id hunt.Identity, s *hunt.Stream) indexMeta {
	m := indexMeta{Version: metaVersion, Tenant: id.Tenant, Connection: id.Connection, Class: s.Class.Name, Stream: s.Name,
		Attributes: slices.Sorted(maps.Keys(s.Attributes)), Closed: map[string][]json.RawMessage{}}
	m.Attributes = slices.DeleteFunc(m.Attributes, func(a string) bool { return !s.Attributes[a] })
	for path, values := range s.Closed {
		list := []json.RawMessage{}
		for _, v := range values {
			list = append(list, valueJSON(v))
		}
		m.Closed[path] = list
	}
	return m
}

// valueJSON writes a value of a column as documents do.
func valueJSON(v hunt.Value) json.RawMessage {
	switch v.Kind() {
	case hunt.StringKind:
		return appendQuoted(nil, hunt.EscapeText(v.Str()))
	case hunt.FloatKind:
		return appendQuoted(nil, strconv.FormatFloat(v.Flt(), 'g', -1, 64))
	case hunt.BoolKind:
		return strconv.AppendBool(nil, v.Num() == 1)
	case hunt.IPKind:
		return appendQuoted(nil, hunt.FormatIP(v.Addr16()))
	}
	return strconv.AppendInt(nil, v.Num(), 10)
}

// readMeta reads the _meta of a mapping. It returns false if the index is none that this package made, or of a later version.
func readMeta(meta []byte) (indexMeta, bool) {
	var m struct {
		Harrier indexMeta `json:"harrier"`
	}
	if err := json.Unmarshal(meta, &m); err != nil {
		return indexMeta{}, false
	}
	return m.Harrier, m.Harrier.Version == metaVersion && ocsf.ByName(m.Harrier.Class) != nil && m.Harrier.Stream != ""
}

// describe makes the stream that a _meta describes, without what only its documents tell. The class must be known.
func (m indexMeta) describe() hunt.Stream {
	s := hunt.Stream{Name: m.Stream, Class: ocsf.ByName(m.Class), Attributes: map[string]bool{}, Closed: map[string][]hunt.Value{}, Rows: -1}
	for _, a := range m.Attributes {
		s.Attributes[a] = true
	}
	for path, list := range m.Closed {
		if values, ok := closedValues(s.Class, path, list); ok {
			s.Closed[path] = values
		}
	}
	return s
}

// closedValues reads the values of a column that are known beforehand; false if one is none.
func closedValues(class *ocsf.Class, path string, list []json.RawMessage) ([]hunt.Value, bool) {
	col := class.Column(path)
	if col == nil {
		return nil, false
	}
	var out []hunt.Value
	for _, raw := range list {
		v, ok := closedValue(col.Type, raw)
		if !ok {
			return nil, false
		}
		out = append(out, v)
	}
	return out, len(out) > 0
}

func closedValue(t ocsf.Type, raw []byte) (hunt.Value, bool) {
	switch t {
	case ocsf.String, ocsf.JSON:
		var s string
		err := json.Unmarshal(raw, &s)
		return hunt.String(hunt.UnescapeText(s)), err == nil
	case ocsf.Boolean:
		return hunt.Bool(string(raw) == "true"), string(raw) == "true" || string(raw) == "false"
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		return hunt.Int(n), err == nil
	}
	return hunt.Value{}, false // nothing else is known beforehand
}

// indexTemplate writes the body of the request that creates an index (PUT /NAME): its settings and mapping. shards is the number of
// primary shards, 0 for the cluster's default.
func indexTemplate(m indexMeta, shards int) ([]byte, error) {
	mapping, err := indexMapping(m)
	if err != nil {
		return nil, err
	}
	settings := map[string]any{
		"codec":                        "best_compression",
		"auto_expand_replicas":         "0-1",
		"mapping.total_fields.limit":   5000,
		"mapping.nested_objects.limit": 100_000,
	}
	if shards > 0 {
		settings["number_of_shards"] = shards
	}
	return json.Marshal(map[string]any{"settings": map[string]any{"index": settings}, "mappings": json.RawMessage(mapping)})
}

// indexMapping writes the mapping of an index, which is also the body of the request that changes one (PUT /NAME/_mapping): a later
// version may have more columns, and a stream more attributes. The error is a *hunt.Error with code INTERNAL: there is no such class.
func indexMapping(m indexMeta) ([]byte, error) {
	class := ocsf.ByName(m.Class)
	if class == nil {
		return nil, &hunt.Error{Op: "elastic: template", Code: hunt.Internal, Message: fmt.Sprintf("there is no class %q", m.Class)}
	}
	return classMapping(class, m)
}

func classMapping(class *ocsf.Class, m indexMeta) ([]byte, error) {
	root := properties{}
	for i := range class.Columns {
		root.add(&class.Columns[i])
	}
	for _, path := range []string{ocsf.ColUID, ocsf.ColTime} {
		root.set(path, fieldMapping(class.Column(path)))
	}
	kept := map[string]any{"type": "keyword", "index": false, "doc_values": false}
	root.set(ocsf.ColRaw, kept)
	root.set(ocsf.ColUnmapped, kept)
	root.set(longField, map[string]any{"type": "keyword"})
	root.set(writerField, kept)
	root.set(timestampField, map[string]any{"type": "date", "format": "epoch_millis||strict_date_optional_time", "ignore_malformed": true})
	return json.Marshal(map[string]any{"dynamic": "strict", "_meta": map[string]any{"harrier": m}, "properties": root})
}

// properties are the fields of an object in a mapping.
type properties map[string]any

// add adds a column; the array of objects that it is in becomes one of nested objects, so that its elements can be told apart.
func (p properties) add(c *ocsf.Column) {
	at := p
	if c.List != "" {
		at = p.object(c.List, "nested")
		at.set(longField, map[string]any{"type": "keyword"})
	}
	at.set(c.Leaf(), fieldMapping(c))
}

// object finds the properties of the object at a dotted path, and makes the objects that are missing; the last of them is of the kind.
func (p properties) object(path, kind string) properties {
	at := p
	parts := strings.Split(path, ".")
	for i, name := range parts {
		o, ok := at[name].(map[string]any)
		if !ok {
			o = map[string]any{"properties": properties{}}
			if i == len(parts)-1 && kind != "" {
				o["type"] = kind
			}
			at[name] = o
		}
		at = o["properties"].(properties)
	}
	return at
}

func (p properties) set(path string, mapping any) {
	at, name := p, path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		at, name = p.object(path[:i], ""), path[i+1:]
	}
	at[name] = mapping
}

// fieldMapping is how a column is indexed.
func fieldMapping(c *ocsf.Column) map[string]any {
	switch c.Type {
	case ocsf.Int, ocsf.Long, ocsf.Enum, ocsf.Time:
		return map[string]any{"type": "long"}
	case ocsf.Float:
		return map[string]any{"type": "double", "ignore_malformed": true} // Infinity
	case ocsf.Boolean:
		return map[string]any{"type": "boolean"}
	case ocsf.IP:
		return map[string]any{"type": "ip"}
	}
	out := map[string]any{"type": "keyword", "ignore_above": longest}
	if c.ID != "" || strings.HasSuffix(c.Path, "name") {
		out["fields"] = map[string]any{lowerField: map[string]any{"type": "keyword", "normalizer": "lowercase", "ignore_above": longest}}
	}
	return out
}
