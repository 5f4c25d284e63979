package oktatest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// filter says whether an event is wanted.
type filter func(event map[string]any) bool

// problem is why Okta refuses a request, in its words.
type problem struct{ code, summary string }

func invalid(format string, args ...any) *problem {
	return &problem{"E0000053", "Invalid filter: " + fmt.Sprintf(format, args...)}
}

// parseFilter reads a filter expression: `and` before `or`, brackets, `not`, and comparisons of an attribute with a JSON value. Names of
// attributes are compared with case, operators without.
func parseFilter(text string, ignoreCase bool) (filter, *problem) {
	if text == "" {
		return func(map[string]any) bool { return true }, nil
	}
	p := parser{text: text, ignoreCase: ignoreCase}
	f, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.word() != "" || p.blank() < len(p.text) {
		return nil, invalid("unexpected text at position %d", p.at)
	}
	return f, nil
}

type parser struct {
	text       string
	at         int
	ignoreCase bool
}

// blank passes blanks and returns where it is then.
func (p *parser) blank() int {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
	return p.at
}

// word returns the next word without taking it.
func (p *parser) word() string {
	start := p.blank()
	end := start
	for end < len(p.text) && !strings.ContainsRune(` ()"`, rune(p.text[end])) {
		end++
	}
	return p.text[start:end]
}

// accept takes a word, compared without case, if it comes next.
func (p *parser) accept(word string) bool {
	if !strings.EqualFold(p.word(), word) {
		return false
	}
	p.at += len(word)
	return true
}

// bracket takes a bracket if it comes next.
func (p *parser) bracket(c byte) bool {
	if at := p.blank(); at < len(p.text) && p.text[at] == c {
		p.at++
		return true
	}
	return false
}

const deepest = 50

func (p *parser) or(depth int) (filter, *problem) {
	return p.chain("or", depth, p.and, func(a, b bool) bool { return a || b })
}

func (p *parser) and(depth int) (filter, *problem) {
	return p.chain("and", depth, p.factor, func(a, b bool) bool { return a && b })
}

// chain reads parts with a word between them.
func (p *parser) chain(word string, depth int, part func(int) (filter, *problem), join func(a, b bool) bool) (filter, *problem) {
	left, err := part(depth)
	for err == nil && p.accept(word) {
		var right filter
		if right, err = part(depth); err == nil {
			before := left
			left = func(e map[string]any) bool { return join(before(e), right(e)) }
		}
	}
	return left, err
}

// factor reads a comparison, a negation or something in brackets.
func (p *parser) factor(depth int) (filter, *problem) {
	if depth > deepest {
		return nil, invalid("it is nested too deep")
	}
	if p.accept("not") {
		f, err := p.factor(depth + 1)
		return func(e map[string]any) bool { return !f(e) }, err
	}
	if !p.bracket('(') {
		return p.comparison()
	}
	f, err := p.or(depth + 1)
	if err == nil && !p.bracket(')') {
		return nil, invalid("a bracket is open at position %d", p.at)
	}
	return f, err
}

// comparison reads an attribute, an operator and a value.
func (p *parser) comparison() (filter, *problem) {
	attribute := p.word()
	if !slices.Contains(attributes(), attribute) {
		return nil, &problem{"E0000053", "field is not valid: " + attribute}
	}
	p.at += len(attribute)
	operator := strings.ToLower(p.word())
	if !slices.Contains([]string{"eq", "ne", "co", "sw", "ew", "pr", "gt", "ge", "lt", "le"}, operator) {
		return nil, invalid("Unrecognized attribute operator '%s' at position %d. Expected: eq,co,sw,pr,gt,ge,lt,le", operator, p.at)
	}
	p.at += len(operator)
	if operator == "co" && strings.HasPrefix(attribute, "debugContext.debugData.") {
		return nil, &problem{"E0000031", "The supplied combination of operator and field is not currently supported. Operator: co, Field: " + attribute}
	}
	path := strings.Split(attribute, ".")
	if operator == "pr" {
		return func(e map[string]any) bool { return len(valuesAt(e, path)) > 0 }, nil
	}
	want, err := p.value()
	if err != nil {
		return nil, err
	}
	want = p.fold(want)
	return func(e map[string]any) bool {
		return slices.ContainsFunc(valuesAt(e, path), func(v string) bool { return holds(operator, p.fold(v), want) })
	}, nil
}

func (p *parser) fold(s string) string {
	if p.ignoreCase {
		return strings.ToLower(s)
	}
	return s
}

// value reads a JSON string, number or truth value.
func (p *parser) value() (string, *problem) {
	start := p.blank()
	d := json.NewDecoder(strings.NewReader(p.text[start:]))
	d.UseNumber()
	if start < len(p.text) && p.text[start] != '"' {
		word := p.word()
		p.at += len(word)
		if !json.Valid([]byte(word)) {
			return "", invalid("'%s' at position %d is no value", word, start)
		}
		return word, nil
	}
	var text string
	if err := d.Decode(&text); err != nil {
		return "", invalid("there is no JSON string at position %d", start)
	}
	p.at = start + int(d.InputOffset())
	return text, nil
}

// holds compares texts; order is that of their bytes.
func holds(operator, v, want string) bool {
	switch operator {
	case "eq":
		return v == want
	case "ne":
		return v != want
	case "co":
		return strings.Contains(v, want)
	case "sw":
		return strings.HasPrefix(v, want)
	case "ew":
		return strings.HasSuffix(v, want)
	case "gt":
		return v > want
	case "ge":
		return v >= want
	case "lt":
		return v < want
	}
	return v <= want
}

// valuesAt returns the values at a path as text, through arrays; null, "" and empty objects are none.
func valuesAt(v any, path []string) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var out []string
		for _, item := range v {
			out = append(out, valuesAt(item, path)...)
		}
		return out
	case map[string]any:
		if len(path) == 0 {
			return nil
		}
		return valuesAt(v[path[0]], path[1:])
	case string:
		if len(path) > 0 || v == "" {
			return nil
		}
		return []string{v}
	}
	if len(path) > 0 {
		return nil
	}
	return []string{fmt.Sprint(v)}
}

// attributes lists the fields of a LogEvent that filters may name. `published` is not among them: Okta refuses it.
func attributes() []string {
	return []string{
		"uuid", "eventType", "displayMessage", "severity", "version", "legacyEventType",
		"actor.id", "actor.type", "actor.alternateId", "actor.displayName",
		"target.id", "target.type", "target.alternateId", "target.displayName",
		"outcome.result", "outcome.reason", "transaction.id", "transaction.type", "transaction.detail.requestApiTokenId",
		"client.id", "client.device", "client.ipAddress", "client.zone", "client.userAgent.os", "client.userAgent.browser", "client.userAgent.rawUserAgent",
		"client.geographicalContext.city", "client.geographicalContext.state", "client.geographicalContext.country", "client.geographicalContext.postalCode",
		"securityContext.asNumber", "securityContext.asOrg", "securityContext.isp", "securityContext.domain", "securityContext.isProxy",
		"authenticationContext.externalSessionId", "authenticationContext.credentialType", "authenticationContext.authenticationProvider",
		"authenticationContext.credentialProvider", "authenticationContext.interface",
		"debugContext.debugData.requestUri", "debugContext.debugData.url",
	}
}
