package ocsf

import (
	"sort"
	"strings"
)

// Type is the type of a column's values.
type Type uint8

// The column types. In Arrow they are utf8 (String, JSON), int64 (Int, Long, Enum), float64, bool, timestamp[us, UTC] and
// fixed_size_binary[16] (IP; IPv4 is mapped into IPv6).
const (
	String Type = iota + 1
	Int         // 32 bits wide in GraphQL
	Long        // 64 bits wide
	Float
	Boolean
	Time // microseconds since 1970, UTC
	IP
	JSON // text of one JSON value
	Enum // the OCSF number; GraphQL shows the caption
)

// String returns the name that ocsf.yaml and the GraphQL schema use.
func (t Type) String() string {
	return [...]string{"", "String", "Int", "Long", "Float", "Boolean", "Time", "IP", "JSON", "Enum"}[t]
}

// Names of the columns that every event has. They are not in ocsf.yaml.
const (
	ColUID      = "uid"      // identifies one event for ever
	ColTime     = "time"     // when it happened; null if the record does not say
	ColRaw      = "raw"      // the untouched original record, as text
	ColUnmapped = "unmapped" // native fields that no column holds, as a JSON object
)

// EnumTable holds the captions of one OCSF enum. Tables are open: sources may send numbers that are not listed.
type EnumTable struct {
	Name   string
	Values []EnumValue // ascending by ID
}

// EnumValue is one number of an enum with its GraphQL name.
type EnumValue struct {
	ID   int64
	Name string
}

// EnumOther is the OCSF number for a value that the table does not list.
const EnumOther = 99

// Caption returns the GraphQL name of id; an id that is not listed reads OTHER where the table has it, else "".
func (e *EnumTable) Caption(id int64) string {
	i := sort.Search(len(e.Values), func(i int) bool { return e.Values[i].ID >= id })
	if i < len(e.Values) && e.Values[i].ID == id {
		return e.Values[i].Name
	}
	if last := e.Values[len(e.Values)-1]; last.ID == EnumOther {
		return last.Name
	}
	return ""
}

// ID returns the number of a GraphQL name.
func (e *EnumTable) ID(name string) (int64, bool) {
	for _, v := range e.Values {
		if v.Name == name {
			return v.ID, true
		}
	}
	return 0, false
}

// Column is one typed attribute of a class.
type Column struct {
	Path    string     // dotted OCSF path, unique within the class
	GraphQL string     // dotted GraphQL name
	Type    Type       // type of a value, or of an element's value within List
	Enum    *EnumTable // only of Type Enum
	List    string     // the part of Path that is an array of objects, "" if none
	ID      string     // kind of identifier that a value is, "" if none
}

// Leaf is the part of Path below List; the whole path if the column is in no list.
func (c *Column) Leaf() string {
	if c.List == "" {
		return c.Path
	}
	return c.Path[len(c.List)+1:]
}

// Class is one OCSF event class.
type Class struct {
	UID      int64  // OCSF class_uid
	Category int64  // OCSF category_uid
	Name     string // OCSF name
	Type     string // GraphQL type
	Root     string // GraphQL root field
	Columns  []Column
}

// Column returns the column with the dotted OCSF path, or nil. The fixed columns of every event are found too.
func (c *Class) Column(path string) *Column {
	i := sort.Search(len(c.Columns), func(i int) bool { return c.Columns[i].Path >= path })
	if i < len(c.Columns) && c.Columns[i].Path == path {
		return &c.Columns[i]
	}
	for i := range fixed {
		if fixed[i].Path == path {
			return &fixed[i]
		}
	}
	return nil
}

// List returns the columns of the array of objects at path, in path order; empty if path is no such array.
func (c *Class) List(path string) []*Column {
	var out []*Column
	for i := range c.Columns {
		if c.Columns[i].List == path {
			out = append(out, &c.Columns[i])
		}
	}
	return out
}

// Physical is the name of the Arrow column that holds path: the array of objects that it is part of, else path itself.
func (c *Class) Physical(path string) string {
	if col := c.Column(path); col != nil && col.List != "" {
		return col.List
	}
	return path
}

// ByGraphQL returns the column whose dotted GraphQL name is name, or nil.
func (c *Class) ByGraphQL(name string) *Column {
	for i := range c.Columns {
		if c.Columns[i].GraphQL == name {
			return &c.Columns[i]
		}
	}
	for i := range fixed {
		if fixed[i].GraphQL == name {
			return &fixed[i]
		}
	}
	return nil
}

// ListByGraphQL returns the OCSF path of the array of objects whose dotted GraphQL name is name, "" if it is none.
func (c *Class) ListByGraphQL(name string) string {
	for i := range c.Columns {
		col := &c.Columns[i]
		if col.List != "" && strings.HasPrefix(col.GraphQL, name+".") && strings.Count(col.List, ".") == strings.Count(name, ".") {
			return col.List
		}
	}
	return ""
}

// HasPrefix says whether some column of the class lies below the dotted GraphQL name.
func (c *Class) HasPrefix(name string) bool {
	for i := range c.Columns {
		if strings.HasPrefix(c.Columns[i].GraphQL, name+".") {
			return true
		}
	}
	return false
}

// Classes returns all classes, in the order of ocsf.yaml. The slice and what it points to must not be changed.
func Classes() []Class { return classes }

// ByName returns the class with the OCSF name, or nil.
func ByName(name string) *Class { return find(func(c *Class) bool { return c.Name == name }) }

// ByUID returns the class with the OCSF class_uid, or nil.
func ByUID(uid int64) *Class { return find(func(c *Class) bool { return c.UID == uid }) }

// ByType returns the class with the GraphQL type name, or nil.
func ByType(name string) *Class { return find(func(c *Class) bool { return c.Type == name }) }

// ByRoot returns the class with the GraphQL root field, or nil.
func ByRoot(name string) *Class { return find(func(c *Class) bool { return c.Root == name }) }

func find(is func(*Class) bool) *Class {
	for i := range classes {
		if is(&classes[i]) {
			return &classes[i]
		}
	}
	return nil
}

// fixed are the columns of every event that can be filtered and selected but belong to no class.
var fixed = []Column{
	{Path: ColUID, GraphQL: "uid", Type: String},
	{Path: ColTime, GraphQL: "time", Type: Time},
	{Path: ColRaw, GraphQL: "raw", Type: String},
	{Path: ColUnmapped, GraphQL: "unmapped", Type: JSON},
}

// ClassCaption returns the GraphQL name of a class_uid, such as PROCESS_ACTIVITY.
func ClassCaption(uid int64) string { return enumClassUid.Caption(uid) }
