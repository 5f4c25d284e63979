package okta

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// clause is a condition in the filter language of Okta (SCIM, RFC 7644 section 3.4.2.2). The zero clause holds for every event.
type clause struct {
	text  string
	or    bool // text is a list of alternatives, so it needs brackets within `and`
	never bool // it holds for no event
}

// every says whether the clause holds for every event.
func (c clause) every() bool { return c.text == "" && !c.never }

// allOf is the clause that holds if all do.
func allOf(list ...clause) clause {
	var parts []string
	for _, c := range list {
		switch {
		case c.never:
			return c
		case c.or:
			parts = append(parts, "("+c.text+")")
		case c.text != "":
			parts = append(parts, c.text)
		}
	}
	if len(parts) == 1 {
		for _, c := range list {
			if c.text != "" {
				return c
			}
		}
	}
	return clause{text: strings.Join(parts, " and ")}
}

// anyOf is the clause that holds if one of the list does. `and` binds closer than `or`, so its parts need no brackets.
func anyOf(list ...clause) clause {
	var parts []string
	for _, c := range list {
		if c.every() {
			return c
		}
		if !c.never {
			parts = append(parts, c.text)
		}
	}
	if len(parts) == 0 {
		return clause{never: true}
	}
	or := len(parts) > 1
	for _, c := range list {
		or = or || c.or
	}
	return clause{text: strings.Join(parts, " or "), or: or}
}

// not is the negation of a clause that holds for every event or for none. Nothing else is negated, so it is wide.
func (c clause) not() clause { return clause{never: c.every()} }

// compare is a comparison of a field with a text.
func compare(name, operator, value string) clause {
	return clause{text: name + " " + operator + " " + quote(value)}
}

// present holds for events in which the field has a value.
func present(name string) clause { return clause{text: name + " pr"} }

// quote writes a text as a JSON string, as Okta wants its literals.
func quote(value string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return `""` // a string always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// field is a field of LogEvents that Okta can filter on.
type field struct {
	name  string // in filters
	lower bool   // its values have no upper case
	noCo  bool   // Okta refuses `co` on it (E0000031)
}

// fieldOf returns how Okta filters on a native field of the mapping. Fields that are not listed are not asked for, because Okta
// refuses a filter on a field that it does not know.
func fieldOf(native string) (field, bool) {
	switch native {
	case "eventType", "displayMessage", "severity", "transaction.id", "outcome.result", "outcome.reason",
		"actor.id", "actor.alternateId", "actor.displayName", "actor.type",
		"authenticationContext.externalSessionId", "authenticationContext.credentialType",
		"client.geographicalContext.city", "client.geographicalContext.state", "client.geographicalContext.country",
		"client.userAgent.rawUserAgent", "securityContext.asOrg", "securityContext.domain":
		return field{name: native}, true
	case "uuid", "client.ipAddress":
		return field{name: native, lower: true}, true
	case "debugContext.debugData.requestUri":
		return field{name: native, noCo: true}, true
	case "target[].id", "target[].alternateId", "target[].displayName", "target[].type":
		return field{name: strings.Replace(native, "[]", "", 1)}, true
	}
	return field{}, false
}

// ask writes tests of which one holds as a clause, and says whether the clause holds exactly where one of them does.
func (m *model) ask(tests []mapping.Test, caseSensitive bool) (clause, bool) {
	var list []clause
	exact := true
	for _, t := range tests {
		c, same := m.askOne(t, caseSensitive)
		list, exact = append(list, c), exact && same
	}
	return anyOf(list...), exact
}

// askOne writes one test. What Okta cannot be asked holds for every event: more events come, and the host looks at them.
func (m *model) askOne(t mapping.Test, caseSensitive bool) (clause, bool) {
	if t.Op == mapping.TestAlways {
		return clause{}, true
	}
	f, ok := fieldOf(t.Field)
	if !ok || t.Op == mapping.TestAbsent {
		return clause{}, false // `not (f pr)` misses events whose value is a word for absent
	}
	if t.Op == mapping.TestPresent || t.Op == mapping.TestNotIn || t.Op == mapping.TestContains && f.noCo {
		return present(f.name), false
	}
	s := speller{model: m, field: f, native: t.Field, op: t.Op, asIs: caseSensitive, letters: lettersFor(len(t.Values))}
	exact := true
	var list []clause
	for _, v := range t.Values {
		c, same := s.spell(v)
		list, exact = append(list, c...), exact && same
	}
	for _, c := range list {
		if c == present(f.name) {
			return c, false
		}
	}
	return anyOf(list...), exact
}
