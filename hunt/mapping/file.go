package mapping

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping/strictyaml"
)

// File is a mapping file as written.
type File struct {
	Mapping       string              `yaml:"mapping"` // name of the mapping and of the streams it makes
	About         string              `yaml:"about"`
	Match         Conditions          `yaml:"match"`
	Flatten       []string            `yaml:"flatten"`        // native objects whose fields are read as if at the top level
	Aliases       map[string][]string `yaml:"aliases"`        // native field -> other spellings, first that is there wins
	Missing       []string            `yaml:"missing"`        // the source's words for absent; empty text is always absent
	MissingExcept []string            `yaml:"missing_except"` // fields in which only empty text and `-` are absent
	Ignore        []string            `yaml:"ignore"`         // transport noise: not reported as unmapped
	Groups        any                 `yaml:"groups"`         // holds anchors for the rest of the file
	Columns       map[string]*Spec    `yaml:"columns"`        // shared by all rules
	Rules         []Rule              `yaml:"rules"`          // first match wins
}

// Rule says which records become which class, and how.
type Rule struct {
	Match   Conditions       `yaml:"match"`
	Class   string           `yaml:"class"`
	Columns map[string]*Spec `yaml:"columns"`
}

// Spec says how one column is filled.
type Spec struct {
	From   Names          `yaml:"from"` // native fields, the first that gives a value
	Const  any            `yaml:"const"`
	Via    string         `yaml:"via"`
	Map    map[string]any `yaml:"map"`    // of enum and prefix: native text -> value
	Else   any            `yaml:"else"`   // of enum and prefix: any other text
	Absent any            `yaml:"absent"` // the native fields are missing
	Sep    string         `yaml:"sep"`    // of split: regular expression between items
	Strip  string         `yaml:"strip"`  // of split: regular expression removed from each item
	Re     string         `yaml:"re"`     // of re: the first group is the value
	At     string         `yaml:"at"`     // of json: dotted path inside the JSON text
	Always bool           `yaml:"always"` // a constant that is there even if its object has nothing else
	Exact  *bool          `yaml:"exact"`  // false: the inverse is a superset though `via` would be exact

	line, column int
}

// Names is one name or a list of names.
type Names []string

// UnmarshalYAML accepts a scalar or a list.
func (n *Names) UnmarshalYAML(node ast.Node) error {
	node = strictyaml.Unwrap(node)
	if list, ok := node.(*ast.SequenceNode); ok {
		return yaml.NodeToValue(list, (*[]string)(n))
	}
	var one string
	if err := yaml.NodeToValue(node, &one); err != nil {
		return err
	}
	*n = Names{one}
	return nil
}

// UnmarshalYAML accepts a native field, a list of them, or the long form.
func (s *Spec) UnmarshalYAML(node ast.Node) error {
	node = strictyaml.Unwrap(node)
	pos := node.GetToken().Position
	s.line, s.column = pos.Line, pos.Column
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		type plain Spec
		return yaml.NodeToValue(node, (*plain)(s), yaml.Strict())
	}
	return s.From.UnmarshalYAML(node)
}

// Conditions are alternatives, of which one must hold; none means any record.
type Conditions []map[string]Condition

// Condition is what a native field must be.
type Condition struct {
	Values []string // one of these, compared without case
	Re     string   // matches this
	Exists *bool    // is there, or is not
	Not    []string // is none of these
}

// UnmarshalYAML accepts a map or a list of maps.
func (c *Conditions) UnmarshalYAML(node ast.Node) error {
	if _, ok := node.(*ast.SequenceNode); ok {
		return yaml.NodeToValue(node, (*[]map[string]Condition)(c), yaml.Strict())
	}
	one := map[string]Condition{}
	if err := yaml.NodeToValue(node, &one, yaml.Strict()); err != nil {
		return err
	}
	if len(one) > 0 {
		*c = Conditions{one}
	}
	return nil
}

// UnmarshalYAML accepts a scalar, a list, or {re: ...}, {exists: ...}, {not: ...}.
func (c *Condition) UnmarshalYAML(node ast.Node) error {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		var long struct {
			Re     string `yaml:"re"`
			Exists *bool  `yaml:"exists"`
			Not    Names  `yaml:"not"`
		}
		if err := yaml.NodeToValue(node, &long, yaml.Strict()); err != nil {
			return err
		}
		*c = Condition{Re: long.Re, Exists: long.Exists, Not: long.Not}
		return nil
	}
	return (*Names)(&c.Values).UnmarshalYAML(node)
}

//go:embed builtin/*.yaml
var builtin embed.FS

// Parse reads a mapping file. The error is a *hunt.Error with code BAD_CONFIG that names file, line and column.
func Parse(name string, text []byte) (*File, error) {
	f := &File{}
	if err := strictyaml.Decode(text, f); err != nil {
		return nil, &hunt.Error{Op: "mapping", Source: name, Code: hunt.BadConfig, Message: strictyaml.Message(err), Cause: err}
	}
	if f.Mapping == "" || len(f.Rules) == 0 {
		return nil, &hunt.Error{Op: "mapping", Source: name, Code: hunt.BadConfig, Message: "a mapping file needs `mapping` (its name) and `rules`"}
	}
	return f, nil
}

// Builtin returns the compiled set of the mappings that Harrier ships, followed by those of the caller. A mapping with the name of
// a built-in one takes its place.
func Builtin(more ...*File) (*Set, error) {
	entries, err := builtin.ReadDir("builtin")
	if err != nil {
		return nil, err
	}
	files := slices.Clone(more)
	for _, e := range entries {
		text, err := builtin.ReadFile("builtin/" + e.Name())
		if err != nil {
			return nil, err
		}
		f, err := Parse("builtin/"+e.Name(), text)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(more, func(m *File) bool { return m.Mapping == f.Mapping }) {
			files = append(files, f)
		}
	}
	return Compile(files...)
}

// errorAt makes the error of a spec.
func errorAt(f *File, s *Spec, format string, args ...any) error {
	where := f.Mapping
	if s != nil && s.line > 0 {
		where = fmt.Sprintf("%s: line %d, column %d", f.Mapping, s.line, s.column)
	}
	return &hunt.Error{Op: "mapping", Source: where, Code: hunt.BadConfig, Message: strings.TrimSpace(fmt.Sprintf(format, args...))}
}
