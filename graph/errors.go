package graph

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/harrier-xdr/harrier/hunt"
)

// present is the one place where errors become GraphQL errors: the code goes into the extensions, and what is not ours says nothing
// about the inside.
func present(ctx context.Context, err error) *gqlerror.Error {
	var ours *hunt.Error
	if errors.As(err, &ours) {
		return presentOurs(ctx, ours)
	}
	var theirs *gqlerror.Error
	if errors.As(err, &theirs) {
		if code, _ := theirs.Extensions["code"].(string); code == "" || code == errcode.ValidationFailed && theirs.Rule == "" {
			setCode(theirs, hunt.BadUserInput)
			if len(theirs.Path) > 0 && theirs.Extensions["path"] == nil {
				theirs.Extensions["path"] = theirs.Path.String()
			}
		}
		return theirs
	}
	return presentOurs(ctx, &hunt.Error{Code: hunt.Internal, Message: "internal error"})
}

func setCode(e *gqlerror.Error, code hunt.Code) {
	if e.Extensions == nil {
		e.Extensions = map[string]any{}
	}
	e.Extensions["code"] = string(code)
}

func presentOurs(ctx context.Context, e *hunt.Error) *gqlerror.Error {
	out := graphql.DefaultErrorPresenter(ctx, errors.New(e.Error()))
	setCode(out, e.Code)
	if e.Path != "" {
		out.Extensions["path"] = strings.TrimPrefix(e.Path, ".")
	}
	if e.Source != "" {
		out.Extensions["source"] = e.Source
	}
	if e.Retryable {
		out.Extensions["retryable"] = true
	}
	if e.RetryAfter > 0 {
		out.Extensions["retryAfterMs"] = e.RetryAfter.Milliseconds()
	}
	return out
}

// recovered turns a panic of a resolver into an error that says nothing about the inside; the fault goes to OnFault.
func (r *Resolver) recovered(ctx context.Context, fault any) error {
	if r.OnFault != nil {
		r.OnFault(ctx, fault, debug.Stack())
	}
	return &hunt.Error{Code: hunt.Internal, Message: "internal error"}
}

// mirrorErrors repeats what went wrong at sources in `errors`, so that clients which do not know coverage see it.
func mirrorErrors(ctx context.Context, c *hunt.Coverage) {
	for i := range c.Lines {
		l := &c.Lines[i]
		if l.Err == nil {
			continue
		}
		e := *l.Err
		e.Op = "" // the message has it
		e.Source = strings.Trim(l.Tenant+"/"+l.Connection+"/"+l.Stream, "/")
		e.Message = string(l.State) + ": " + l.Err.Error()
		graphql.AddError(ctx, &e)
	}
}
