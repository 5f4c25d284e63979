package guard

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Limits are the largest accepted values; a request at the limit passes and one above it
// is refused. Start from Default and change what differs: a limit of zero is a mistake
// that Validate reports, not a way to switch a check off.
type Limits struct {
	// Bytes is the length of the document text. It also bounds the query cache, which
	// counts entries and not bytes.
	Bytes int
	// Tokens is the number of lexical tokens, comments included. Filters written as
	// literals count here and not in Depth or Fields.
	Tokens int
	// Nesting is the number of brackets of any kind that are open at once: selections,
	// arguments, literal lists and objects, list types. The parser recurses once per
	// bracket, so this is checked before it runs.
	Nesting int
	// NameBytes is the length of one name. Validation compares unknown names with
	// every known one, at a cost that grows with the length, and repeats them in errors.
	NameBytes int
	// Depth is the number of fields on the longest path from the root, through fragments.
	// The standard introspection query needs 15.
	Depth int
	// Fields is the number of selections (fields, spreads, inline fragments) once every
	// spread is replaced by its fragment, summed over all operations and over fragments
	// that no operation reaches.
	Fields int
	// SameKey is how often one response key may be selected at the same response path
	// under the same type conditions.
	SameKey int
	// Comparisons is the number of pairs of selections that share a response path,
	// whatever their type conditions. Validation compares each pair.
	Comparisons int
	// Aliases is the number of fields that are renamed, after expansion.
	Aliases int
	// Directives is the number of directives written in the document.
	Directives int
	// Mutations is the number of root fields of a mutation, __typename aside. More than
	// one makes partial failure ambiguous for the caller.
	Mutations int
	// VariableDepth is how deep lists and objects nest in the variables; the map of
	// variables itself is level 1.
	VariableDepth int
	// VariableValues is the number of values in the variables: every scalar, list and
	// object, nulls included.
	VariableValues int
}

var (
	_ graphql.HandlerExtension          = Limits{}
	_ graphql.OperationParameterMutator = Limits{}
)

// Default returns limits that leave several times the room that a large hunt takes (about
// 350 tokens, depth 8), and that keep the whole of guard, parser and validator to a few
// milliseconds.
func Default() Limits {
	return Limits{
		Bytes:          64 << 10,
		Tokens:         4000,
		Nesting:        64,
		NameBytes:      128,
		Depth:          15,
		Fields:         1000,
		SameKey:        8,
		Comparisons:    10_000,
		Aliases:        50,
		Directives:     50,
		Mutations:      1,
		VariableDepth:  32,
		VariableValues: 50_000,
	}
}

// ExtensionName names the guard in gqlgen's lists of extensions.
func (Limits) ExtensionName() string { return "Guard" }

// Validate reports a limit that is zero or negative. The schema is not looked at.
func (l Limits) Validate(graphql.ExecutableSchema) error {
	for _, f := range l.fields() {
		if f.max <= 0 {
			return fmt.Errorf("guard: limit %s is %d; start from guard.Default() and set a positive number", f.name, f.max)
		}
	}
	return nil
}

type namedLimit struct {
	name string
	max  int
}

func (l Limits) fields() []namedLimit {
	return []namedLimit{
		{"Bytes", l.Bytes}, {"Tokens", l.Tokens}, {"Nesting", l.Nesting},
		{"NameBytes", l.NameBytes}, {"Depth", l.Depth}, {"Fields", l.Fields},
		{"SameKey", l.SameKey}, {"Comparisons", l.Comparisons}, {"Aliases", l.Aliases},
		{"Directives", l.Directives}, {"Mutations", l.Mutations},
		{"VariableDepth", l.VariableDepth}, {"VariableValues", l.VariableValues},
	}
}

// MutateOperationParameters checks the raw request before gqlgen parses it. It changes
// nothing. The checks run from cheap to dear, so a hostile text is refused by the first
// that sees it. A text that does not parse is refused here with GRAPHQL_PARSE_FAILED,
// because gqlparser's own message repeats the text.
func (l Limits) MutateOperationParameters(_ context.Context, p *graphql.RawParams) *gqlerror.Error {
	if err := l.Document(p.Query); err != nil {
		return err
	}
	return l.variables(p.Variables)
}

// Document checks one document text. The error, if any, has a code in its extensions:
// QUERY_TOO_COMPLEX with the limit, its maximum and the value found, or
// GRAPHQL_PARSE_FAILED.
func (l Limits) Document(text string) *gqlerror.Error {
	if len(text) > l.Bytes {
		return exceeded(excess{"bytes", l.Bytes, len(text)}, nil)
	}
	if err := l.scan(text); err != nil {
		return err
	}
	doc, err := parse(&ast.Source{Input: text}, l.Tokens)
	if err != nil {
		return err
	}
	return l.walk(doc)
}
