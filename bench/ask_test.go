package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// asker sends a document and returns the bytes of `data`, which a client would have to read yet.
type asker interface {
	ask(ctx context.Context, query string, variables map[string]any) ([]byte, error)
}

// inProcess asks without a network in between.
type inProcess struct {
	api *executor.Executor
	who *access.Principal
}

func (p inProcess) ask(ctx context.Context, query string, variables map[string]any) ([]byte, error) {
	resp, err := graph.Execute(ctx, p.api, p.who, &graphql.RawParams{Query: query, Variables: variables})
	switch {
	case err != nil:
		return nil, err
	case slices.ContainsFunc(resp.Errors, fatal):
		return nil, resp.Errors
	}
	return resp.Data, nil
}

// fatal says whether an error spoils a comparison. Records of the input that no mapping takes do not: neither side has them, and the
// answer says that it is not complete.
func fatal(e *gqlerror.Error) bool { return e.Extensions["code"] != string(hunt.RecordsRejected) }

// overHTTP asks a service on the loopback interface.
type overHTTP struct {
	server *httptest.Server
	token  string
}

func serve(api *executor.Executor, who *access.Principal) (*overHTTP, error) {
	tokens, token := access.NewTokens(), access.NewToken()
	if err := tokens.Add(access.HashToken(token), who); err != nil {
		return nil, err
	}
	return &overHTTP{httptest.NewServer(graph.Handler(api, tokens, nil)), token}, nil
}

func (o *overHTTP) ask(ctx context.Context, query string, variables map[string]any) ([]byte, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.server.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+o.token)
	resp, err := o.server.Client().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP %d: %.300s, %w", resp.StatusCode, text, err)
	}
	data, ok := bytes.CutPrefix(text, []byte(`{"data":`))
	if !ok {
		return nil, fmt.Errorf("the answer does not start with data: %.300s", text)
	}
	return bytes.TrimSuffix(data, []byte("}")), nil
}

// document writes the query of some root fields.
func (c *comparison) document(roots []root) (query string, variables map[string]any) {
	variables = map[string]any{"timeRange": object("start", c.start, "end", c.end), "first": c.first}
	var head, body strings.Builder
	for i, r := range roots {
		class := ocsf.ByName(r.class)
		fmt.Fprintf(&head, ", $where%d: %sFilter, $after%[1]d: String", i, class.Type)
		fmt.Fprintf(&body, "  %s: %s(timeRange: $timeRange, where: $where%d, orderBy: %s, first: $first, after: $after%[3]d) {\n"+
			"    pageInfo { hasNextPage endCursor }\n    nodes { uid time %[5]s }\n    coverage { verdict complete }\n  }\n", r.name, class.Root, i, c.order, r.fields)
		variables[fmt.Sprintf("where%d", i)] = r.where
	}
	return "query Hunt($timeRange: TimeRangeInput!, $first: Int!" + head.String() + ") {\n" + body.String() + "}", variables
}

// reply is what a comparison reads of an answer.
type reply map[string]field

// field is one of them.
type field struct {
	PageInfo struct {
		HasNextPage bool
		EndCursor   *string
	}
	Nodes    []struct{ UID string }
	Coverage struct {
		Complete bool
		Verdict  string
	}
}

// hunt asks a comparison until all wanted rows are there. Reading the answers is left to the caller, but for what tells it to go on.
func (c *comparison) hunt(ctx context.Context, a asker) ([][]byte, error) {
	query, variables := c.document(c.roots)
	data, err := a.ask(ctx, query, variables)
	if err != nil {
		return nil, err
	}
	pages := [][]byte{data}
	if c.most > 0 || !bytes.Contains(data, []byte(`"hasNextPage":true`)) {
		return pages, nil
	}
	var r reply
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, err
	}
	for _, root := range c.roots {
		more, err := c.rest(ctx, a, root, r)
		if err != nil {
			return nil, err
		}
		pages = append(pages, more...)
	}
	return pages, nil
}

// rest asks for the further pages of one root field.
func (c *comparison) rest(ctx context.Context, a asker, one root, r reply) (pages [][]byte, err error) {
	query, variables := c.document([]root{one})
	for r[one.name].PageInfo.HasNextPage {
		variables["after0"] = *r[one.name].PageInfo.EndCursor
		data, err := a.ask(ctx, query, variables)
		if err != nil {
			return nil, err
		}
		pages = append(pages, data)
		r = reply{}
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// read gathers the events of an answer by uid, and says whether everything that could hold such rows was searched. An event may be in
// the answers of two root fields, never twice in one.
func (c *comparison) read(pages [][]byte) (uids map[string]bool, complete bool, err error) {
	uids, complete = map[string]bool{}, true
	seen := map[[2]string]bool{}
	for _, page := range pages {
		var r reply
		if err := json.Unmarshal(page, &r); err != nil {
			return nil, false, err
		}
		for name, field := range r {
			complete = complete && field.Coverage.Complete
			for _, n := range field.Nodes {
				key := [2]string{name, n.UID}
				if seen[key] {
					return nil, false, fmt.Errorf("hunt %s: event %s is twice in %s", c.id, n.UID, name)
				}
				seen[key] = true
				uids[n.UID] = true
			}
		}
	}
	return uids, complete, nil
}
