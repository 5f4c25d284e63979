package mapping

import (
	"slices"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Mapping returns the mapping of that name, or nil.
func (s *Set) Mapping(name string) *Mapping {
	for _, m := range s.mappings {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Streams describes the streams that records of this mapping make: one per class, with the columns that some rule of the class
// fills and, where all values of a column are known beforehand, these values.
func (m *Mapping) Streams() []*hunt.Stream {
	var out []*hunt.Stream
	for i := range ocsf.Classes() {
		if s := m.Stream(&ocsf.Classes()[i]); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// Stream describes the stream of one class, nil if no rule makes it.
func (m *Mapping) Stream(class *ocsf.Class) *hunt.Stream {
	rules := m.rulesOf(class)
	if len(rules) == 0 {
		return nil
	}
	s := &hunt.Stream{Name: m.Name, Class: class, Attributes: map[string]bool{"category_uid": true, "type_uid": true, "activity_id": true, "severity_id": true},
		Closed: map[string][]hunt.Value{}, Rows: -1}
	for _, r := range rules {
		for _, o := range r.ops {
			if o.col.Path == ocsf.ColTime {
				continue // every stream has it
			}
			s.Attributes[o.col.Path] = true
			if o.hashes && class.Column(o.col.List+".algorithm_id") != nil {
				s.Attributes[o.col.List+".algorithm_id"] = true
			}
		}
	}
	for path := range s.Attributes {
		if values, ok := m.closed(rules, path); ok {
			s.Closed[path] = values
		}
	}
	return s
}

func (m *Mapping) rulesOf(class *ocsf.Class) []*rule {
	return slices.DeleteFunc(slices.Clone(m.rules), func(r *rule) bool { return r.class != class })
}

// closed returns all values that a text column can have in records of these rules, if that is known: constants, and native fields
// that the conditions of the mapping or of every rule fix.
func (m *Mapping) closed(rules []*rule, path string) ([]hunt.Value, bool) {
	var out []hunt.Value
	for _, r := range rules {
		o := r.op(path)
		if o == nil || o.col.Type != ocsf.String || o.absent.kind != noValue {
			return nil, false
		}
		values, ok := m.ruleValues(r, o)
		if !ok {
			return nil, false
		}
		for _, v := range values {
			if !slices.Contains(out, v) {
				out = append(out, v)
			}
		}
	}
	return out, len(out) > 0
}

func (m *Mapping) ruleValues(r *rule, o *op) ([]hunt.Value, bool) {
	if o.fixed.kind == textValue {
		return []hunt.Value{hunt.String(string(o.fixed.text))}, true
	}
	if len(o.spec.From) != 1 || !slices.Contains([]string{"", "copy", "str", "lower"}, o.spec.Via) {
		return nil, false
	}
	for _, conditions := range []Conditions{r.source.Match, m.file.Match} {
		if values, ok := fixedBy(conditions, o.spec.From[0]); ok {
			return values, true
		}
	}
	return nil, false
}

// fixedBy returns the values that conditions allow for a native field, if every alternative lists them.
func fixedBy(alternatives Conditions, name string) ([]hunt.Value, bool) {
	var out []hunt.Value
	for _, all := range alternatives {
		c, ok := all[name]
		if !ok || len(c.Values) == 0 {
			return nil, false
		}
		for _, v := range c.Values {
			out = append(out, hunt.String(v))
		}
	}
	return out, len(out) > 0
}

// Reads says whether some rule of the mapping, or its conditions, reads the native field.
func (m *Mapping) Reads(field string) bool {
	return slices.ContainsFunc(m.rules, func(r *rule) bool { return r.consumed[field] }) || m.ignore[strings.ToLower(field)]
}
