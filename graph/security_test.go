package graph_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/harrier-xdr/harrier/graph/generated"
)

// read is the body of a response and its first error code.
func read(t *testing.T, resp *http.Response) (body, code string) {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Errors []struct{ Extensions struct{ Code string } }
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if len(r.Errors) > 0 {
		code = r.Errors[0].Extensions.Code
	}
	return string(text), code
}

func TestTokensAreNeeded(t *testing.T) {
	s := serve(t, twoTenants(t))
	query := vars{"query": `{sources {tenant}}`}
	for name, header := range map[string]string{
		"none": "", "unknown": "Bearer harrier_nobody", "empty": "Bearer ", "no scheme": aliceToken, "basic": "Basic " + aliceToken, "a prefix": "Bearer " + aliceToken[:10],
		"longer": "Bearer " + aliceToken + "x", "two": "Bearer " + aliceToken + " " + aliceToken, "the other case": "Bearer " + strings.ToUpper(aliceToken),
	} {
		resp := post(t.Context(), t, s, query, "Authorization", header)
		body, code := read(t, resp)
		if resp.StatusCode != http.StatusUnauthorized || code != "UNAUTHENTICATED" || resp.Header.Get("WWW-Authenticate") != "Bearer" || strings.Contains(body, "data") {
			t.Errorf("%s: status %d, %s", name, resp.StatusCode, body)
		}
		if strings.Contains(strings.ToLower(body), "harrier_") {
			t.Errorf("%s: the error holds the token: %s", name, body)
		}
	}
	for _, header := range []string{"Bearer " + aliceToken, "bearer " + aliceToken, "Bearer  " + aliceToken} {
		resp := post(t.Context(), t, s, query, "Authorization", header)
		if body, code := read(t, resp); resp.StatusCode != http.StatusOK || code != "" || !strings.Contains(body, `"acme"`) || strings.Contains(body, `"beta"`) {
			t.Errorf("%s: status %d, %s", header, resp.StatusCode, body)
		}
	}
	if body, _ := read(t, post(t.Context(), t, s, query, "Authorization", "Bearer "+bobToken)); !strings.Contains(body, `"beta"`) || strings.Contains(body, `"acme"`) {
		t.Errorf("bob sees %s", body)
	}
}

// TestFaultsTellNothing: a panic in a resolver is INTERNAL without its text, and neither logs nor errors hold the token.
func TestFaultsTellNothing(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(before)
	w := twoTenants(t)
	w.resolver.Now = func() time.Time { panic("a secret of the inside") }
	s := serve(t, w)
	resp := post(t.Context(), t, s, vars{"query": `{processActivities(timeRange: ` + wide + `) {nodes {uid}} sources {tenant}}`}, "Authorization", "Bearer "+aliceToken)
	body, code := read(t, resp)
	if code != "INTERNAL" || strings.Contains(body, "secret") || !strings.Contains(body, `"processActivities":null`) || !strings.Contains(body, `"sources":[`) {
		t.Errorf("status %d, %s", resp.StatusCode, body)
	}
	for _, query := range []string{`{`, `{nobody}`, `{node(id: "x") {id}}`, `query($a: Int!) {node(id: "x") {id}}`} {
		if body, _ := read(t, post(t.Context(), t, s, vars{"query": query}, "Authorization", "Bearer "+aliceToken)); strings.Contains(body, "harrier_") {
			t.Errorf("%s: %s", query, body)
		}
	}
	if strings.Contains(log.String(), "harrier_") || strings.Contains(log.String(), "Bearer") {
		t.Errorf("the log holds the token: %s", log.String())
	}
}

// TestGuardIsOn: the limits hold for what comes through the handler, before it is parsed and run.
func TestGuardIsOn(t *testing.T) {
	s := serve(t, twoTenants(t))
	deep := `{processActivities(timeRange: ` + wide + `) {nodes {` + strings.Repeat("process {parentProcess {", 8) + "pid" + strings.Repeat("}}", 8) + `}}}`
	for name, query := range map[string]string{
		"deep": deep, "wide": `{processActivities(timeRange: ` + wide + `) {nodes {` + strings.Repeat("uid ", 100) + `}}}`, "long": "{sources {tenant}}" + strings.Repeat(" ", 70_000),
		"aliases": `{sources {` + aliases(60) + `}}`,
	} {
		body, code := read(t, post(t.Context(), t, s, vars{"query": query}, "Authorization", "Bearer "+aliceToken))
		if code != "QUERY_TOO_COMPLEX" || strings.Contains(body, `"data":{`) {
			t.Errorf("%s: %.300s", name, body)
		}
	}
	body, code := read(t, post(t.Context(), t, s, vars{"query": `{__schema {queryType {name} subscriptionType {name}} __type(name: "Event") {kind possibleTypes {name}}}`}, "Authorization", "Bearer "+aliceToken))
	if code != "" || !strings.Contains(body, `"queryType":{"name":"Query"}`) || strings.Count(body, `"name"`) != 20 {
		t.Errorf("introspection: %.400s", body)
	}
}

func aliases(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("a")
		b.WriteString(strings.Repeat("x", i))
		b.WriteString(": tenant ")
	}
	return b.String()
}

// TestEverythingIsDescribed: types, fields, arguments, input fields, directives and enum types say what they are. The values of
// enums that are generated from OCSF are captions and need no words of ours; those of enums written by hand do.
func TestEverythingIsDescribed(t *testing.T) {
	schema := generated.NewExecutableSchema(generated.Config{}).Schema()
	seen := 0
	check := func(description, format string, names ...string) {
		seen++
		if strings.TrimSpace(description) == "" {
			t.Errorf(strings.ReplaceAll(format, "%", "%s")+" has no description", anys(names)...)
		}
	}
	for _, def := range schema.Types {
		if def.BuiltIn || strings.HasPrefix(def.Name, "__") {
			continue
		}
		check(def.Description, "%", def.Name)
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			check(f.Description, "%.%", def.Name, f.Name)
			for _, a := range f.Arguments {
				check(a.Description, "%.%(%)", def.Name, f.Name, a.Name)
			}
		}
		if def.Kind == ast.Enum && !strings.HasPrefix(def.Description, "OCSF ") {
			for _, v := range def.EnumValues {
				check(v.Description, "%.%", def.Name, v.Name)
			}
		}
	}
	for _, name := range []string{"oneOf", "columnar"} {
		check(schema.Directives[name].Description, "@%", name)
	}
	if seen < 2000 {
		t.Errorf("only %d descriptions were looked at", seen)
	}
}

func anys(names []string) []any {
	out := []any{}
	for _, n := range names {
		out = append(out, n)
	}
	return out
}
