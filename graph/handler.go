package graph

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/99designs/gqlgen/graphql/handler/extension"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/graph/generated"
	"github.com/harrier-xdr/harrier/graph/guard"
	"github.com/harrier-xdr/harrier/graph/transport"
)

// cachedQueries is how many parsed documents are kept. The guard bounds the length of each.
const cachedQueries = 500

// NewExecutor assembles the executable schema with its guard and error codes.
func NewExecutor(r *Resolver) *executor.Executor {
	return newExecutor(r, Columnar)
}

// newExecutor lets tests take the stock path in place of the columnar one.
func newExecutor(r *Resolver, columnar func(context.Context, any, graphql.Resolver) (any, error)) *executor.Executor {
	e := executor.New(generated.NewExecutableSchema(generated.Config{Resolvers: r, Directives: generated.DirectiveRoot{Columnar: columnar}}))
	e.SetQueryCache(lru.New[*ast.QueryDocument](cachedQueries))
	e.SetDefaultRulesFn(guard.Rules)
	e.SetErrorPresenter(present)
	e.SetRecoverFunc(r.recovered)
	e.Use(guard.Default())
	e.Use(extension.Introspection{})
	return e
}

// OnFault is told of defects that became INTERNAL errors, with the stack.
type OnFault func(ctx context.Context, fault any, stack []byte)

// Handler serves GraphQL over HTTP to bearers of a token. A nil onFault logs through slog.
func Handler(e *executor.Executor, tokens *access.Tokens, onFault OnFault) http.Handler {
	inner := transport.New(e, transport.Options{OnFault: onFault})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			token = ""
		}
		who, err := tokens.Find(strings.TrimSpace(token))
		if err != nil {
			transport.Refuse(w, r, transport.Refusal{Code: transport.CodeUnauthenticated, Message: err.Error()})
			return
		}
		inner.ServeHTTP(w, r.WithContext(access.With(r.Context(), who)))
	})
}

// Execute runs one query document in process for a principal and returns the JSON of the response: what the commands of the program
// do, so that they say what the API says.
func Execute(ctx context.Context, e *executor.Executor, who *access.Principal, params *graphql.RawParams) (*graphql.Response, error) {
	ctx = graphql.StartOperationTrace(access.With(ctx, who))
	now := graphql.Now()
	params.ReadTime = graphql.TraceTiming{Start: now, End: now}
	oc, errs := e.CreateOperationContext(ctx, params)
	if errs != nil {
		return e.DispatchError(graphql.WithOperationContext(ctx, oc), errs), nil
	}
	next, ctx := e.DispatchOperation(ctx, oc)
	resp := next(ctx)
	if resp == nil {
		return nil, fmt.Errorf("the query gave no response")
	}
	return resp, nil
}
