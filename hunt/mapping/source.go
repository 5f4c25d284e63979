package mapping

import (
	"maps"
	"slices"
	"strings"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// This file says what sources with a query language of their own need to know to find the records of a mapping.

// Source says from which native fields a rule fills a column: the first that gives a value.
type Source struct {
	Fields []string // canonical names; Spellings has the others
	Via    string   // transform, "" for a copy
	// Default says that records without the fields have a value too, or that the value does not come from fields alone.
	Default bool
}

// Sources returns from where the rule of the inverse fills the column at path, one for each line of the rule that does; none if
// the rule does not fill it.
func (i Inverse) Sources(path string) []Source {
	var out []Source
	for _, o := range i.rule.opsOf(path) {
		s := Source{Via: o.spec.Via, Default: o.fixed.kind != noValue || o.absent.kind != noValue}
		for _, f := range o.from {
			s.Fields = append(s.Fields, f.name)
		}
		out = append(out, s)
	}
	return out
}

// Conditions returns what a record of the rule of the inverse satisfies: one of the alternatives; none means any record that satisfies
// the conditions of the mapping and those of no earlier rule. It must not be changed.
func (i Inverse) Conditions() Conditions { return i.rule.source.Match }

// Conditions returns what a record of the mapping satisfies: one of the alternatives; none means any record. It must not be changed.
func (m *Mapping) Conditions() Conditions { return m.file.Match }

// Spellings returns the paths under which a record may hold a native field: its name, its aliases, and these below every object that
// is read as if it were the record. `[].` in a path stands for an array of objects.
func (m *Mapping) Spellings(field string) []string {
	out := append([]string{field}, m.file.Aliases[field]...)
	for _, object := range m.file.Flatten {
		for _, name := range out[:1+len(m.file.Aliases[field])] {
			out = append(out, object+"."+name)
		}
	}
	return out
}

// NativeFields returns the native fields that the mapping reads to tell and to fill the columns of class, in all spellings, sorted.
func (m *Mapping) NativeFields(class *ocsf.Class) []string {
	found := map[string]bool{}
	conditions := slices.Clone(m.file.Match)
	for _, r := range m.rulesOf(class) {
		conditions = append(conditions, r.source.Match...)
		for _, o := range r.ops {
			for _, f := range o.from {
				found[f.name] = true
			}
		}
	}
	for _, all := range conditions {
		for name := range all {
			found[name] = true
		}
	}
	var out []string
	for name := range maps.Keys(found) {
		out = append(out, m.Spellings(name)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Anything returns the inverse of a predicate that every record satisfies, one for each rule of the class.
func (m *Mapping) Anything(class *ocsf.Class) []Inverse {
	var out []Inverse
	for _, r := range m.rulesOf(class) {
		out = append(out, Inverse{When: r.when(), Tests: []Test{{Op: TestAlways}}, Exact: true, rule: r})
	}
	return out
}

// FieldPath writes a native field as clusters that do not tell arrays from values name it.
func FieldPath(field string) string { return strings.ReplaceAll(field, "[].", ".") }
