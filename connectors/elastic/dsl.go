package elastic

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// This file writes the query DSL of Elasticsearch 8 and OpenSearch 2 (both document it under "Query DSL"). Queries are texts: they are
// written once, in one order of their keys, so that equal queries are equal texts.

// query is one query as JSON. It holds the number of clauses that it counts for.
type query struct {
	json    string
	clauses int
}

// matchAll holds for every document, matchNone for none.
func matchAll() query  { return query{`{"match_all":{}}`, 1} }
func matchNone() query { return query{`{"match_none":{}}`, 1} }

// quote writes a JSON string. The text is UTF-8; encoding/json is kept from escaping what only HTML needs escaped.
func quote(s string) string { return string(appendQuoted(nil, s)) }

const hexDigits = "0123456789abcdef"

// appendQuoted appends a JSON string (RFC 8259, section 7). s must be UTF-8.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(append(dst, s[from:i]...), '\\')
		switch c {
		case '"', '\\':
			dst = append(dst, c)
		case '\n':
			dst = append(dst, 'n')
		case '\r':
			dst = append(dst, 'r')
		case '\t':
			dst = append(dst, 't')
		default:
			dst = append(dst, 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		from = i + 1
	}
	return append(append(dst, s[from:]...), '"')
}

// exists holds for documents with an indexed value.
func exists(field string) query { return query{`{"exists":{"field":` + quote(field) + `}}`, 1} }

// term holds for one value, given as JSON.
func term(field, value string) query {
	return query{`{"term":{` + quote(field) + `:{"value":` + value + `}}}`, 1}
}

// termFolded compares A-Z without case, and nothing else.
func termFolded(field, value string) query {
	return query{`{"term":{` + quote(field) + `:{"value":` + quote(value) + `,"case_insensitive":true}}}`, 1}
}

// mostTerms is how many values one list may have (index.max_terms_count is 65,536 by default).
const mostTerms = 65_536

// anyTerm holds for any of the values, given as JSON; for none if there are none.
func anyTerm(field string, values []string) query {
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	switch len(values) {
	case 0:
		return matchNone()
	case 1:
		return term(field, values[0])
	}
	var parts []query
	for chunk := range slices.Chunk(values, mostTerms) {
		parts = append(parts, query{`{"terms":{` + quote(field) + `:[` + strings.Join(chunk, ",") + `]}}`, 1})
	}
	return anyOf(parts...)
}

// prefix holds for values that start with a text.
func prefix(field, value string, folded bool) query {
	return query{`{"prefix":{` + quote(field) + `:{"value":` + quote(value) + caseRule(folded) + `}}}`, 1}
}

// wildcard holds for values that a pattern of `*`, `?` and `\` covers.
func wildcard(field, pattern string, folded bool) query {
	return query{`{"wildcard":{` + quote(field) + `:{"value":` + quote(pattern) + caseRule(folded) + `}}}`, 1}
}

func caseRule(folded bool) string {
	if folded {
		return `,"case_insensitive":true`
	}
	return ""
}

// escapePattern makes a text stand for itself in a wildcard pattern.
func escapePattern(s string) string { return patternEscaper.Replace(s) }

var patternEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)

// bound is one end of a range: the operator (gte, gt, lte, lt) and the value as JSON.
type bound struct{ op, value string }

// between holds for values within the bounds; for any value if there are none.
func between(field string, bounds ...bound) query {
	if len(bounds) == 0 {
		return exists(field)
	}
	parts := make([]string, len(bounds))
	for i, b := range bounds {
		parts[i] = `"` + b.op + `":` + b.value
	}
	return query{`{"range":{` + quote(field) + `:{` + strings.Join(parts, ",") + `}}}`, 1}
}

// allOf holds if all queries do.
func allOf(list ...query) query {
	list = distinct(list, matchAll())
	switch {
	case len(list) == 0:
		return matchAll()
	case len(list) == 1:
		return list[0]
	case slices.Contains(list, matchNone()):
		return matchNone()
	}
	return joined(`{"bool":{"filter":[`, list, `]}}`)
}

// anyOf holds if any query does.
func anyOf(list ...query) query {
	list = distinct(list, matchNone())
	switch {
	case len(list) == 0:
		return matchNone()
	case len(list) == 1:
		return list[0]
	case slices.Contains(list, matchAll()):
		return matchAll()
	}
	return joined(`{"bool":{"minimum_should_match":1,"should":[`, list, `]}}`)
}

// distinct drops queries that come twice and those that change nothing.
func distinct(list []query, neutral query) []query {
	var out []query
	seen := map[string]bool{neutral.json: true}
	for _, q := range list {
		if !seen[q.json] {
			seen[q.json] = true
			out = append(out, q)
		}
	}
	return out
}

func joined(before string, list []query, after string) query {
	out := query{clauses: 0}
	var b strings.Builder
	b.WriteString(before)
	for i, q := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(q.json)
		out.clauses += q.clauses
	}
	b.WriteString(after)
	out.json = b.String()
	return out
}

// not holds if the query does not.
func not(q query) query {
	switch q {
	case matchAll():
		return matchNone()
	case matchNone():
		return matchAll()
	}
	return query{`{"bool":{"must_not":[` + q.json + `]}}`, q.clauses + 1}
}

// inNested holds if an object of the array at path satisfies the query. An index that lacks the array has no such object.
func inNested(path string, q query) query {
	if q == matchNone() {
		return q
	}
	return query{`{"nested":{"path":` + quote(path) + `,"query":` + q.json + `,"score_mode":"none"}}`, q.clauses + 1}
}

// numbers writes whole numbers as JSON.
func numbers(list []int64) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = strconv.FormatInt(n, 10)
	}
	return out
}

// raw returns the query as JSON.
func (q query) raw() json.RawMessage { return json.RawMessage(q.json) }

// utf16Len is the length that a cluster counts: a rune beyond the first plane is two units.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}
