package guard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/harrier-xdr/harrier/graph/guard"
)

// attack is a document that costs stock gqlgen much more than its size suggests, and the
// limit that must stop it.
type attack struct {
	name, limit, text string
}

func attacks() []attack {
	return []attack{
		{"same field 11 KB", "tokens", "{" + strings.Repeat("a{b} ", 660*3) + "}"},
		{"same field 110 KB", "bytes", "{" + strings.Repeat("a{b} ", 22_000) + "}"},
		{"leaf 3 KB", "repetitions of one response key", "{" + strings.Repeat("a ", 1500) + "}"},
		{"leaf 12 KB", "tokens", "{" + strings.Repeat("a ", 6000) + "}"},
		{"inline fragments", "repetitions of one response key", "{" + strings.Repeat("...{a} ", 950) + "}"},
		{"inline fragments 14 KB", "tokens", "{" + strings.Repeat("...{a} ", 2000) + "}"},
		{"inline fragments on invented types", "comparisons of repeated keys", "{" + each(400, "...on T%d{a} ") + "}"},
		{"inline fragments nested", "nesting of brackets", "{" + strings.Repeat("...{", 900) + "a" + strings.Repeat("}", 901)},
		{"same field 8 KB", "repetitions of one response key", "{" + strings.Repeat("a{b} ", 990) + "}"},
		{"fragment doubling", "repetitions of one response key", doubling(25, "{...f0}", "a")},
		{"fragment doubling to a cycle", "expanded fields", doubling(25, "{...f0}", "...f0")},
		{"fragment doubling, unused", "expanded fields", doubling(25, "{a}", "...f0")},
		{"fragment doubling under one name twice", "expanded fields", "fragment f0 on Q{a} " + doubling(25, "{...f0}", "...f1")},
		{"fragments with wide inline fragments", "expanded fields", "{" + strings.Repeat("...f ", 300) + "} fragment f on Q{" + each(300, "...{a%d} ") + "}"},
		{"same key in merged children", "repetitions of one response key", "{" + strings.Repeat("a{"+strings.Repeat("b{"+strings.Repeat("c ", 8)+"} ", 8)+"} ", 8) + "}"},
		{"list value depth 100k cut to size", "nesting of brackets", "{a(x:" + strings.Repeat("[", 60_000)},
		{"list value depth 100k", "bytes", "{a(x:" + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + ")}"},
		{"object value depth", "nesting of brackets", "{a(x:" + strings.Repeat("{a:", 10_000)},
		{"list type depth", "nesting of brackets", "query($v:" + strings.Repeat("[", 30_000) + "Int" + strings.Repeat("]", 30_000) + "){a}"},
		{"closers first", "nesting of brackets", strings.Repeat("]", 100) + strings.Repeat("[", 100)},
		{"selection depth", "depth of fields", strings.Repeat("{a", 16) + strings.Repeat("}", 16)},
		{"unknown directives 150 KB", "bytes", "{a" + strings.Repeat("@d", 75_000) + "}"},
		{"unknown directives", "directives", "{a" + strings.Repeat("@d", 1900) + "}"},
		{"aliases", "aliases", "{" + each(51, "a%d:a ") + "}"},
		{"aliases in a fragment", "aliases", "{" + each(3, "r%d{...f} ") + "} fragment f on Q{" + each(17, "a%d:a ") + "}"},
		{"many fields", "expanded fields", "{" + each(1001, "a%d ") + "}"},
		{"many operations", "expanded fields", strings.Repeat("{a} ", 1001)},
		{"long name", "bytes of a name", "{" + strings.Repeat("a", 60_000) + "}"},
		{"comments", "tokens", strings.Repeat("#\n", 5000) + "{a}"},
		{"circular fragments, wide", "expanded fields", "{...a ...b} fragment a on Q{" + strings.Repeat("...b ", 40) + "} fragment b on Q{" + strings.Repeat("...a ", 40) + "}"},
		{"two mutations", "mutations in one request", "mutation{containHost{id} m:releaseHost{id} __typename}"},
	}
}

// each repeats a format with the numbers from 0.
func each(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// doubling makes fragments that each spread the next one twice.
func doubling(levels int, operation, leaf string) string {
	var b strings.Builder
	b.WriteString(operation)
	for i := range levels {
		fmt.Fprintf(&b, " fragment f%d on Q{...f%d ...f%d}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment f%d on Q{%s}", levels, leaf)
	return b.String()
}

func check(text string) *gqlerror.Error {
	return guard.Default().MutateOperationParameters(context.Background(), &graphql.RawParams{Query: text})
}

func TestAttacksAreRefused(t *testing.T) {
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			err := check(a.text)
			if err == nil {
				t.Fatal("accepted")
			}
			if code, limit := err.Extensions["code"], err.Extensions["limit"]; code != guard.CodeTooComplex || limit != a.limit {
				t.Fatalf("got code %v, limit %v; want limit %q", code, limit, a.limit)
			}
			want := fmt.Sprintf("%s reached %d, the limit is %d", a.limit, err.Extensions["found"], err.Extensions["max"])
			if !strings.Contains(err.Message, want) {
				t.Errorf("message %q does not say %q", err.Message, want)
			}
		})
	}
}

// BenchmarkAttacks measures each refusal and fails when one takes 5 ms or more on average.
func BenchmarkAttacks(b *testing.B) {
	for _, a := range attacks() {
		b.Run(a.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				check(a.text)
			}
			if per := b.Elapsed() / time.Duration(b.N); per >= 5*time.Millisecond {
				b.Errorf("%v per refusal, the limit is 5ms", per)
			}
		})
	}
}

func TestHuntsAreAccepted(t *testing.T) {
	for name, text := range accepted() {
		if err := check(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkHunts(b *testing.B) {
	for name, text := range accepted() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				check(text)
			}
		})
	}
}

func accepted() map[string]string {
	perClass := "query{events(timeRange:{last:\"P1D\"}){nodes{"
	for i := range 17 {
		perClass += fmt.Sprintf("...on Class%d{time severity device{hostname uid} raw}", i)
	}
	perClass += "}}}"
	return map[string]string{
		"typed filters":      typedHunt,
		"steps":              stepsHunt,
		"subscription":       "subscription($in:HuntInput!){huntRun(input:$in,batch:200){__typename ...on HuntRows{rows{id score}} ...on HuntDone{cursor}}}",
		"every class":        perClass,
		"introspection":      introspection,
		"mutation":           "mutation($i:ContainInput!){requestContainment(input:$i){containment{id} userErrors{code}} __typename}",
		"literal filter":     "{a(where:" + strings.Repeat("{and:[", 30) + "{x:{eq:1}}" + strings.Repeat("]}", 30) + "){b}}",
		"fields at limit":    "{" + each(1000, "a%d ") + "}",
		"same key at limit":  "{" + strings.Repeat("a ", 8) + "}",
		"depth at limit":     strings.Repeat("{a", 15) + strings.Repeat("}", 15),
		"unknown fragment":   "{...nobody}",
		"circular fragments": "{...a} fragment a on Q{...b} fragment b on Q{...a}",
		"empty":              "",
	}
}

const typedHunt = `query EncodedPsThenCloud {
  processActivities(
    timeRange: {last: "P7D"}
    where: {
      process: {name: {in: ["powershell.exe", "pwsh.exe"]}, cmdLine: {containsAny: ["-enc ", "-encodedcommand"]}}
      connections: {some: {direction: OUTBOUND, dstEndpoint: {ip: {scope: EXTERNAL}}}}
      user: {authentications: {some: {risk: {gte: MEDIUM}}, within: {before: "PT2H"}}}
    }
    first: 50
  ) {
    nodes { time process { cmdLine file { path hashes { algorithm value } } } device { hostname }
      related { networkActivities(first: 5) { nodes { time dstEndpoint { ip port } } } } }
    pageInfo { hasNextPage endCursor }
    coverage { state source range { start end } error { code retryable } }
  }
}`

const stepsHunt = `query ($in: HuntInput = {timeRange: {last: "P7D"}, match: {steps: [
  {as: "ps", event: {process: {name: {in: ["powershell.exe"]}}}}
  {as: "net", event: {network: {direction: OUTBOUND}}, join: [{on: PROCESS, step: "ps"}], within: {of: "ps", around: {after: "PT2H"}}}]}}) {
  hunt(input: $in, first: 50) { nodes { score
    ps: step(as: "ps") { events { ...ev } } net: step(as: "net") { events { ...ev } } }
    coverage { complete } } }
fragment ev on Event { time uid ... on ProcessActivity { process { cmdLine } } ... on NetworkActivity { dstEndpoint { ip } } }`

const introspection = `query IntrospectionQuery { __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
  types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`

func TestSyntaxErrorsHaveAPlaceAndNoText(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		"{a(x:\"" + secret + "\" \"" + secret + "\")}", secret + "{a}", "{a(" + secret + " " + secret + ")}",
		"{a ? " + secret + "}", "{a(x:\"\\u" + secret + "000\")}", "{a(x:\"" + secret, "query " + secret, "{a} {", "{a(x:01" + secret,
		"fragment f " + secret + " Q{a}", "{a(x:'" + secret + "')}", "mutation", "{a(x:{" + secret + "}", "{ # " + secret,
	} {
		err := check(text)
		if err == nil {
			t.Errorf("%q: accepted", text)
			continue
		}
		if err.Extensions["code"] != "GRAPHQL_PARSE_FAILED" || len(err.Locations) != 1 {
			t.Errorf("%q: code %v, locations %v", text, err.Extensions["code"], err.Locations)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error repeats the text: %s", text, err)
		}
	}
}

func TestLimitErrorsHaveNoText(t *testing.T) {
	const secret = "hunter2"
	err := check("{" + strings.Repeat(secret+" ", 20) + "}")
	if err == nil || strings.Contains(err.Error(), secret) || len(err.Locations) != 1 {
		t.Errorf("got %v", err)
	}
}

func TestValidateReportsAMissingLimit(t *testing.T) {
	if err := guard.Default().Validate(nil); err != nil {
		t.Errorf("Default: %v", err)
	}
	l := guard.Default()
	l.SameKey = 0
	if err := l.Validate(nil); err == nil || !strings.Contains(err.Error(), "SameKey is 0") {
		t.Errorf("got %v, want an error that names SameKey", err)
	}
	if (guard.Limits{}).Validate(nil) == nil {
		t.Error("the zero value must be refused")
	}
}

// BenchmarkDearestAccepted measures parser and validation of documents that the guard
// lets through although they were made to be dear.
func BenchmarkDearestAccepted(b *testing.B) {
	schema := wideSchema()
	for name, text := range map[string]string{
		"comparisons at limit":  "{" + each(141, "...on T%d{a} ") + "}",
		"merged classes":        "{any{" + each(17, "...on C%d{same a{f0 f1 f2 f3 a{f0 f1 f2 f3 a{f0 f1 f2}}}} ") + "}}",
		"unknown fields":        "{" + each(990, "nonexistentfieldnamewithsomelengthinit%d ") + "}",
		"unknown arguments":     "{f0(" + each(1300, "nonexistentargumentname%d:1 ") + ")}",
		"unknown input fields":  "{f1(in:{" + each(1300, "nonexistentargumentname%d:1 ") + "})}",
		"wide repeated objects": "{" + strings.Repeat("a{"+each(100, "f%d ")+"} ", 8) + "}",
	} {
		if err := check(text); err != nil {
			b.Fatalf("%s: refused: %v", name, err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				doc, err := parser.ParseQuery(&ast.Source{Input: text})
				if err != nil {
					b.Fatal(err)
				}
				validator.ValidateWithRules(schema, doc, guard.Rules())
			}
		})
	}
}

func TestRulesSuggestNothing(t *testing.T) {
	schema := wideSchema()
	for _, text := range []string{
		"{f_0}", "{f0(inn:{})}", "{f0(in:{field_0:1})}", "{f0(in:{kind:FIRS})}", "query($v:Inn){f0(in:$v)}", "{a}",
	} {
		doc, err := parser.ParseQuery(&ast.Source{Input: text})
		if err != nil {
			t.Fatal(err)
		}
		errs := validator.ValidateWithRules(schema, doc, guard.Rules())
		if len(errs) == 0 {
			t.Errorf("%s: valid", text)
		}
		if strings.Contains(errs.Error(), "Did you mean") {
			t.Errorf("%s: %v", text, errs)
		}
	}
}

func wideSchema() *ast.Schema {
	return gqlparser.MustLoadSchema(&ast.Source{Input: "type Query{" + each(100, "f%d(in:In):Int ") + " a:Query} union Any=" + each(150, "|C%d ") + each(150, "type C%d{same(in:In):Int a:Query} ") + "extend type Query{any:Any} enum Kind{FIRST SECOND} input In{kind:Kind " + each(100, "field%d:Int ") + "}"})
}
