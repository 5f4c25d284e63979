package guard

import (
	"errors"
	"fmt"
	"strings"

	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// CodeTooComplex is extensions.code of every refusal by a limit.
const CodeTooComplex = "QUERY_TOO_COMPLEX"

// excess says which limit was broken. Counting stops at the limit, so found is the
// value when it was noticed and the true value may be higher.
type excess struct {
	limit      string
	max, found int
}

func exceeded(x excess, at *ast.Position) *gqlerror.Error {
	err := &gqlerror.Error{
		Message: fmt.Sprintf("query too complex: %s reached %d, the limit is %d; split the request into smaller ones", x.limit, x.found, x.max),
		Extensions: map[string]any{
			"code": CodeTooComplex, "limit": x.limit, "max": x.max, "found": x.found,
		},
	}
	if at != nil {
		err.Locations = []gqlerror.Location{{Line: at.Line, Column: at.Column}}
	}
	return err
}

func parse(src *ast.Source, tokens int) (*ast.QueryDocument, *gqlerror.Error) {
	doc, err := parser.ParseQueryWithTokenLimit(src, tokens)
	if err != nil {
		return nil, syntaxError(err)
	}
	return doc, nil
}

// syntaxError keeps the position and the kind of a gqlparser error. The message is cut
// where gqlparser starts to quote the text.
func syntaxError(err error) *gqlerror.Error {
	out := &gqlerror.Error{Message: "the document does not parse"}
	if g, ok := errors.AsType[*gqlerror.Error](err); ok {
		out.Locations = g.Locations
		if detail := quoteFree(g.Message); detail != "" {
			out.Message += ": " + detail
		}
		if len(g.Locations) > 0 {
			out.Message += fmt.Sprintf(" at line %d, column %d", g.Locations[0].Line, g.Locations[0].Column)
		}
	}
	errcode.Set(out, errcode.ParseFailed)
	return out
}

func quoteFree(message string) string {
	if i := strings.IndexAny(message, `"\`); i >= 0 {
		message = message[:i]
	}
	return strings.TrimRight(message, " :.")
}
