package graph_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// twoTenants is a gateway for two customers that have a connection of the same name.
func twoTenants(t *testing.T) *world {
	_, a := filled(t, 1, "acme", "edr", 20, ocsf.ProcessActivity)
	_, b := filled(t, 2, "beta", "edr", 20, ocsf.ProcessActivity)
	return newWorld(t, a, b)
}

func TestTenantsAreNamed(t *testing.T) {
	w := twoTenants(t)
	base := vars{"timeRange": wideVar(), "first": 100}
	both := w.as("alice", "acme", "beta")
	both.ask(pageQuery, base).refused(t, "two tenants, none named", "BAD_USER_INPUT", "tenants")
	both.ask(pageQuery, with(base, "tenants", []string{})).refused(t, "an empty list", "BAD_USER_INPUT", "tenants")
	both.ask(huntQuery, vars{"in": huntOf("processActivities", vars{})}).refused(t, "hunt, none named", "BAD_USER_INPUT", "input.tenants")
	w.as("nobody").ask(pageQuery, base).refused(t, "a principal without tenants", "BAD_USER_INPUT", "tenants")
	for _, c := range []struct {
		who    *world
		asked  any
		tenant []string
	}{{w.as("a", "acme"), nil, []string{"acme"}}, {w.as("a", "acme"), []string{"acme"}, []string{"acme"}}, {both, []string{"beta"}, []string{"beta"}}, {both, []string{"beta", "acme"}, []string{"acme", "beta"}}, {both, "acme", []string{"acme"}}} {
		r := c.who.must(pageQuery, with(base, "tenants", c.asked))
		seen, lines := map[string]int{}, []string{}
		for _, n := range r.list("processActivities.nodes") {
			seen[at(n, "tenant").(string)]++
		}
		for _, l := range r.list("processActivities.coverage.connections") {
			lines = append(lines, at(l, "tenant").(string))
		}
		if !slices.Equal(lines, c.tenant) || len(seen) != len(c.tenant) {
			t.Errorf("asked for %v: rows of %v, lines of %v, want %v", c.asked, seen, lines, c.tenant)
		}
		for _, name := range c.tenant {
			if seen[name] < 15 {
				t.Errorf("asked for %v: %d rows of %s", c.asked, seen[name], name)
			}
		}
	}
}

// TestForeignTenantsDoNotExist: a tenant of somebody else and one that there is not give the same bytes.
func TestForeignTenantsDoNotExist(t *testing.T) {
	w := twoTenants(t).as("alice", "acme")
	const query = `query($t: [String!], $in: HuntInput!, $c: [String!]) {
		processActivities(timeRange: ` + wide + `, tenants: $t, connections: $c) {nodes {uid}} hunt(input: $in) {nodes {uid}} explainHunt(input: $in) {text} sources(tenants: $t) {connection}}`
	answers := map[string]string{}
	for _, tenant := range []string{"beta", "elsewhere"} {
		in := with(huntOf("processActivities", vars{}), "tenants", []string{tenant})
		r := w.ask(query, vars{"t": []string{tenant}, "in": in, "c": []string{"edr"}})
		slices.SortFunc(r.Errors, func(a, b *gqlerror.Error) int { return strings.Compare(a.Path.String(), b.Path.String()) })
		text, err := json.Marshal(r.Errors)
		if err != nil || len(r.Errors) != 4 || r.Errors[0].Extensions["code"] != "UNKNOWN_TENANT" {
			t.Fatalf("%s: %s, %v", tenant, text, err)
		}
		answers[tenant] = strings.ReplaceAll(string(text), tenant, "TENANT") + string(r.raw)
	}
	if answers["beta"] != answers["elsewhere"] {
		t.Errorf("the answers differ:\n%s\n%s", answers["beta"], answers["elsewhere"])
	}
	w.ask(pageQuery, vars{"timeRange": wideVar(), "tenants": []string{"acme", "beta"}}).refused(t, "one of two is foreign", "UNKNOWN_TENANT", "tenants")
}

// TestNoRowsOfOtherTenants: not by a global id, by a cursor, or by the name of a connection.
func TestNoRowsOfOtherTenants(t *testing.T) {
	w := twoTenants(t)
	alice, bob := w.as("alice", "acme"), w.as("bob", "beta")
	const ids = `{processActivities(timeRange: ` + wide + `, first: 100) {nodes {id uid time} pageInfo {endCursor}}}`
	const node = `query($id: ID!) {node(id: $id) {id ... on ProcessActivity {uid tenant}}}`
	for _, n := range bob.must(ids, nil).list("processActivities.nodes") {
		id := at(n, "id").(string)
		if r := alice.must(node, vars{"id": id}); r.at("node") != nil {
			t.Fatalf("alice sees %v of beta", r.at("node"))
		}
		if r := bob.must(node, vars{"id": id}); r.at("node.uid") != at(n, "uid") || r.at("node.tenant") != "beta" || r.at("node.id") != id {
			t.Fatalf("bob sees %v, want %v", r.at("node"), n)
		}
		raw, _ := base64.RawURLEncoding.DecodeString(id)
		forged := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), "beta", "acme", 1)))
		if r := alice.must(node, vars{"id": forged}); r.at("node") != nil {
			t.Fatalf("the id of an event of beta, written as one of acme, gives alice %v", r.at("node"))
		}
	}
	mine := alice.must(`{processActivities(timeRange: `+wide+`, connections: ["edr"], first: 100) {nodes {tenant} coverage {connections {tenant}}}}`, nil)
	for _, n := range append(mine.list("processActivities.nodes"), mine.list("processActivities.coverage.connections")...) {
		if at(n, "tenant") != "acme" {
			t.Errorf("alice sees %v", n)
		}
	}
	theirs := bob.must(pageQuery, vars{"timeRange": wideVar(), "first": 2}).text("processActivities.pageInfo.endCursor")
	alice.ask(pageQuery, vars{"timeRange": wideVar(), "first": 2, "after": theirs}).refused(t, "a cursor of beta", "BAD_CURSOR", "after")
	if got := alice.must(`{sources {tenant connection}}`, nil).text("sources"); got != "[map[connection:edr tenant:acme]]" {
		t.Errorf("alice sees the sources %s", got)
	}
}

func TestNode(t *testing.T) {
	classes := []int64{}
	for i := range ocsf.Classes() {
		classes = append(classes, ocsf.Classes()[i].UID)
	}
	_, c := filled(t, 3, "acme", "edr", 8, classes...)
	w := newWorld(t, c)
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		r := w.must(`{`+class.Root+`(timeRange: `+wide+`, first: 100) {nodes {id uid time raw class tenant connection __typename}}}`, nil)
		rows := r.list(class.Root + ".nodes")
		if len(rows) == 0 {
			t.Errorf("no rows of %s", class.Name)
		}
		for _, n := range rows {
			got := w.must(`query($id: ID!) {node(id: $id) {id ... on Event {uid time raw class tenant connection __typename}}}`, vars{"id": at(n, "id")})
			if fmt.Sprint(got.at("node")) != fmt.Sprint(n) {
				t.Errorf("node gives %v, want %v", got.at("node"), n)
			}
		}
	}
	process := ocsf.ByUID(ocsf.ProcessActivity)
	for name, key := range map[string]hunt.Key{
		"unknown uid": {Time: 1, Tenant: "acme", Connection: "edr", UID: "x"}, "unknown connection": {Time: 1, Tenant: "acme", Connection: "x", UID: "x"}, "unknown tenant": {Time: 1, Tenant: "x", Connection: "edr", UID: "x"},
	} {
		if r := w.must(`query($id: ID!) {node(id: $id) {id}}`, vars{"id": graph.GlobalID(process, key)}); r.at("node") != nil {
			t.Errorf("%s: %v", name, r.at("node"))
		}
	}
	good := graph.GlobalID(process, hunt.Key{Time: 1, Tenant: "acme", Connection: "edr", UID: "x"})
	enc := base64.RawURLEncoding.EncodeToString
	for _, id := range []string{"", "x", "null", "%", good + "A", good[:9] + "\n" + good[9:], enc([]byte(`[]`)), enc([]byte(`null`)), enc([]byte(`["event",1007,"acme","edr",1]`)), enc([]byte(`["event",1007,"acme","edr",1,"x",2]`)), enc([]byte(`["event",7,"acme","edr",1,"x"]`)), enc([]byte(`["host",1007,"acme","edr",1,"x"]`))} {
		w.ask(`query($id: ID!) {node(id: $id) {id}}`, vars{"id": id}).refused(t, fmt.Sprintf("id %q", id), "BAD_USER_INPUT", "id")
	}
}
