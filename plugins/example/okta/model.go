package okta

import (
	_ "embed"
	"regexp"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

//go:embed okta.yaml
var mappingText string

// model is what is known of LogEvents: how they become OCSF columns, and how Okta spells its words. It does not change.
type model struct {
	set      *mapping.Set
	mapping  *mapping.Mapping
	streams  map[string]*hunt.Stream      // by class name
	classes  map[string]clause            // by class name: a condition that every event of the class satisfies
	words    map[string]map[string]string // native field -> folded word -> as Okta spells it
	families []string                     // starts of event types, as Okta spells them
	missing  map[string]bool              // folded texts that the mapping reads as absent
}

const eventType = "eventType"

// newModel compiles the mapping. An error is a defect of okta.yaml, which the tests would have found.
func newModel() (*model, *hunt.Error) {
	file, err := mapping.Parse("okta.yaml", []byte(mappingText))
	if err != nil {
		return nil, hunt.AsError(err, hunt.BadConfig)
	}
	set, err := mapping.Compile(file)
	if err != nil {
		return nil, hunt.AsError(err, hunt.BadConfig)
	}
	m := &model{set: set, mapping: set.Mapping(file.Mapping), streams: map[string]*hunt.Stream{}, classes: map[string]clause{},
		words: map[string]map[string]string{}, missing: map[string]bool{"": true, "-": true, "(empty)": true}}
	for _, s := range m.mapping.Streams() {
		m.streams[s.Class.Name] = s
	}
	for _, word := range file.Missing {
		m.missing[hunt.Fold(word)] = true
	}
	m.learn(file)
	return m, nil
}

// learn takes from the mapping file how Okta spells its words, and which event types make a class.
func (m *model) learn(file *mapping.File) {
	m.spell(file.Columns)
	for _, rule := range file.Rules {
		m.spell(rule.Columns)
		m.conditions(rule.Match)
		some := m.ofRule(rule.Match)
		if before, ok := m.classes[rule.Class]; ok {
			some = anyOf(before, some)
		}
		m.classes[rule.Class] = some
	}
}

// spell learns the keys of enumerations.
func (m *model) spell(columns map[string]*mapping.Spec) {
	for _, s := range columns {
		if s.Via != "enum" || len(s.From) != 1 {
			continue
		}
		for word := range s.Map {
			m.learnWord(s.From[0], word)
		}
	}
}

func (m *model) learnWord(name, word string) {
	if m.words[name] == nil {
		m.words[name] = map[string]string{}
	}
	m.words[name][hunt.Fold(word)] = word
}

// conditions learns the event types and the starts of event types that the conditions of a rule name.
func (m *model) conditions(alternatives mapping.Conditions) {
	for _, all := range alternatives {
		c := all[eventType]
		for _, word := range c.Values {
			m.learnWord(eventType, word)
		}
		if start := startOf(c.Re); start != "" {
			m.families = append(m.families, start)
		}
	}
}

// ofRule returns a condition on the event type that every event of a rule satisfies. Rules before it may take some of these events.
func (m *model) ofRule(alternatives mapping.Conditions) clause {
	if len(alternatives) == 0 {
		return clause{}
	}
	var out []clause
	for _, all := range alternatives {
		c := all[eventType]
		start := startOf(c.Re)
		switch {
		case len(c.Values) > 0:
			for _, v := range c.Values {
				out = append(out, compare(eventType, "eq", v))
			}
		case start != "":
			out = append(out, compare(eventType, "sw", start))
		default:
			return clause{}
		}
	}
	return anyOf(out...)
}

// startOf returns the text that everything which matches an anchored expression begins with, "" if that is not known.
func startOf(expression string) string {
	rest, anchored := strings.CutPrefix(expression, "^")
	if !anchored || strings.Contains(rest, "|") {
		return ""
	}
	re, err := regexp.Compile(rest)
	if err != nil {
		return ""
	}
	start, _ := re.LiteralPrefix()
	return start
}

// stream returns the stream of a request, nil if there is none.
func (m *model) stream(name string, class *ocsf.Class) *hunt.Stream {
	if class == nil || name != m.mapping.Name {
		return nil
	}
	return m.streams[class.Name]
}
