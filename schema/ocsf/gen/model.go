package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// file is ocsf.yaml as written.
type file struct {
	Version string                      `yaml:"version"`
	Lists   []string                    `yaml:"lists"`
	Objects map[string]object           `yaml:"objects"`
	Classes yaml.MapSlice               `yaml:"classes"`
	Columns map[string]column           `yaml:"columns"`
	Enums   map[string]map[int64]string `yaml:"enums"`
}

type object struct {
	Type string `yaml:"type"`
	Desc string `yaml:"desc"`
}

type class struct {
	Name     string `yaml:"-"`
	UID      int64  `yaml:"uid"`
	Type     string `yaml:"type"`
	Root     string `yaml:"root"`
	Category int64  `yaml:"category"`
	Status   string `yaml:"status"`
	Desc     string `yaml:"desc"`
}

type column struct {
	Type    string `yaml:"type"`
	Enum    string `yaml:"enum"`
	ID      string `yaml:"id"`
	Classes any    `yaml:"classes"`
	Desc    string `yaml:"desc"`
}

// model is ocsf.yaml with everything derived.
type model struct {
	file
	classes []class
	paths   []string // of columns, sorted
	types   map[string]*objectType
}

// objectType is a GraphQL object type: all attributes that any column has below an object of that type.
type objectType struct {
	name, desc string
	fields     map[string]*field // by OCSF attribute
}

type field struct {
	attr, typ, desc string // typ is a column type, an enum or an object type
	enum, object    bool
	list            bool
	from            string // the shortest path that has it: its description is taken
}

func load(name string) (*model, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	m := &model{types: map[string]*objectType{}}
	if err := yaml.UnmarshalWithOptions(text, &m.file, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, item := range m.Classes {
		c := class{Name: item.Key.(string)}
		raw, _ := yaml.Marshal(item.Value)
		if err := yaml.UnmarshalWithOptions(raw, &c, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("%s: class %s: %w", name, c.Name, err)
		}
		m.classes = append(m.classes, c)
	}
	m.paths = slices.Sorted(maps.Keys(m.Columns))
	return m, m.derive()
}

// derive fills the object types and checks that every name that is used is defined.
func (m *model) derive() error {
	for _, p := range m.paths {
		c := m.Columns[p]
		if c.Type == "Enum" && c.Enum != "PER_CLASS" && m.Enums[c.Enum] == nil {
			return fmt.Errorf("column %s: no enum %s", p, c.Enum)
		}
		if err := m.addPath(p, c); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) addPath(path string, c column) error {
	parts := strings.Split(path, ".")
	for i := 1; i < len(parts); i++ {
		o, ok := m.Objects[parts[i-1]]
		if !ok {
			return fmt.Errorf("column %s: no object type for %s", path, parts[i-1])
		}
		t := m.types[o.Type]
		if t == nil {
			t = &objectType{name: o.Type, desc: o.Desc, fields: map[string]*field{}}
			m.types[o.Type] = t
		}
		f := &field{attr: parts[i], typ: c.Type, desc: c.Desc, from: path}
		if i < len(parts)-1 {
			sub := m.Objects[parts[i]]
			f.typ, f.object, f.desc, f.list = sub.Type, true, sub.Desc, slices.Contains(m.Lists, parts[i])
		} else if c.Type == "Enum" {
			f.typ, f.enum = c.Enum, true
		}
		if old := t.fields[parts[i]]; old == nil || len(f.from) < len(old.from) {
			t.fields[parts[i]] = f
		}
	}
	return nil
}

// classColumns returns the paths of a class's columns, sorted.
func (m *model) classColumns(c class) []string {
	return slices.DeleteFunc(slices.Clone(m.paths), func(p string) bool {
		list, ok := m.Columns[p].Classes.([]any)
		return ok && !slices.Contains(list, any(c.Name))
	})
}

// enumOf returns the enum of an enum column in a class.
func (m *model) enumOf(c class, path string) string {
	switch path {
	case "activity_id":
		return c.Type + "ActivityId"
	case "status_id":
		return c.Status
	}
	return m.Columns[path].Enum
}

// listOf returns the part of path that is an array of objects, "" if none.
func (m *model) listOf(path string) string {
	parts := strings.Split(path, ".")
	for i := range len(parts) - 1 {
		if slices.Contains(m.Lists, parts[i]) {
			return strings.Join(parts[:i+1], ".")
		}
	}
	return ""
}

// graphQL returns the dotted GraphQL name of a column.
func (m *model) graphQL(path string) string {
	parts := strings.Split(path, ".")
	out := make([]string, len(parts))
	for i, attr := range parts {
		siblings := m.topLevel()
		if i > 0 {
			siblings = m.types[m.Objects[parts[i-1]].Type].fields
		}
		out[i] = fieldName(attr, siblings)
	}
	return strings.Join(out, ".")
}

// topLevel returns the attributes of the event itself, of all classes.
func (m *model) topLevel() map[string]*field {
	out := map[string]*field{}
	for _, p := range m.paths {
		attr, _, deep := strings.Cut(p, ".")
		out[attr] = &field{attr: attr, enum: !deep && m.Columns[p].Type == "Enum"}
	}
	return out
}

// fieldName derives a GraphQL name among the attributes beside it.
func fieldName(attr string, siblings map[string]*field) string {
	switch attr {
	case "class_uid":
		return "class"
	case "category_uid":
		return "category"
	}
	if f := siblings[attr]; f != nil && f.enum {
		attr = strings.TrimSuffix(attr, "_id")
	} else if id := siblings[attr+"_id"]; id != nil && id.enum {
		return camel(attr) + "Text"
	}
	return camel(attr)
}

// camel turns snake_case into lowerCamelCase.
func camel(s string) string {
	parts := strings.Split(s, "_")
	for i, p := range parts[1:] {
		parts[i+1] = upperFirst(p)
	}
	return strings.Join(parts, "")
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
