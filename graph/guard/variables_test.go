package guard_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/harrier-xdr/harrier/graph/guard"
)

func nested(depth int) any {
	var v any = "leaf"
	for i := range depth {
		if i%2 == 0 {
			v = []any{v}
		} else {
			v = map[string]any{"and": v}
		}
	}
	return v
}

func TestVariables(t *testing.T) {
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	for _, c := range []struct {
		name, limit string
		value       any
	}{
		{"nil", "", nil},
		{"nil map", "", map[string]any(nil)},
		{"scalars", "", map[string]any{"a": 1, "b": nil, "c": "x", "d": []string{"x"}}},
		{"depth at limit", "", nested(32)},
		{"depth over", "depth of variables", nested(33)},
		{"deep typed slices", "depth of variables", [][]any{{nested(31)}}},
		{"deep typed maps", "depth of variables", map[string][]any{"a": {nested(31)}}},
		{"cycle", "depth of variables", cyclic},
		{"values at limit", "", make([]any, 49_999)},
		{"values over", "values in variables", make([]any, 50_000)},
		{"typed values over", "values in variables", make([]string, 50_000)},
		{"map values over", "values in variables", map[string]any{"a": make([]any, 30_000), "b": make([]any, 30_000)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := guard.Variables(c.value, guard.Default())
			if c.limit == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			g, ok := errors.AsType[*gqlerror.Error](err)
			if !ok || g.Extensions["limit"] != c.limit || g.Extensions["code"] != guard.CodeTooComplex {
				t.Fatalf("got %v, want limit %q", err, c.limit)
			}
		})
	}
}

func TestVariablesAreCheckedBeforeCoercion(t *testing.T) {
	p := &graphql.RawParams{Query: "{a}", Variables: map[string]any{"secretname": nested(40)}}
	err := guard.Default().MutateOperationParameters(t.Context(), p)
	if err == nil || err.Extensions["limit"] != "depth of variables" || strings.Contains(err.Error(), "secretname") {
		t.Fatalf("got %v", err)
	}
}

func BenchmarkVariables(b *testing.B) {
	v := map[string]any{"in": make([]any, 49_000)}
	b.ReportAllocs()
	for b.Loop() {
		if err := guard.Variables(v, guard.Default()); err != nil {
			b.Fatal(err)
		}
	}
}
