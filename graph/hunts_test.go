package graph_test

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// TestHuntEqualsRootField: the same question asked in the two ways has the same answer, for every class and page size.
func TestHuntEqualsRootField(t *testing.T) {
	classes := []int64{}
	for i := range ocsf.Classes() {
		classes = append(classes, ocsf.Classes()[i].UID)
	}
	_, a := filled(t, 6, "acme", "a", 12, classes...)
	_, b := filled(t, 7, "acme", "b", 12, classes...)
	w := newWorld(t, a, b)
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		where := vars{"not": vars{"raw": vars{"contains": "cmd"}}}
		root := w.must(fmt.Sprintf(`query($w: %sFilter) {%s(timeRange: %s, where: $w, orderBy: TIME_DESC, first: 100) {nodes {uid} totalCount {value}}}`, class.Type, class.Root, wide), vars{"w": where})
		want, got := root.uids(class.Root), []string{}
		in := with(huntOf(class.Root, where), "orderBy", "TIME_DESC")
		v := vars{"in": in, "first": 5}
		for {
			r := w.must(huntQuery, v)
			got = append(got, r.uids("hunt")...)
			for j, n := range r.list("hunt.nodes") {
				if at(n, "__typename") != class.Type || r.at(fmt.Sprintf("hunt.edges.%d.node.id", j)) == nil {
					t.Errorf("%s: node %v", class.Type, n)
				}
			}
			if r.at("hunt.pageInfo.hasNextPage") != true {
				if r.text("hunt.totalCount.value") != root.text(class.Root+".totalCount.value") {
					t.Errorf("%s: totalCount %v", class.Root, r.at("hunt.totalCount"))
				}
				break
			}
			v = with(v, "after", r.at("hunt.pageInfo.endCursor"))
		}
		if !slices.Equal(got, want) || len(want) < 6 {
			t.Errorf("%s: hunt gives %d rows, the root field %d", class.Root, len(got), len(want))
		}
	}
}

func TestExplainHunt(t *testing.T) {
	_, a := filled(t, 6, "acme", "a", 5, ocsf.ProcessActivity)
	_, b := filled(t, 7, "acme", "b", 5, ocsf.BaseEvent)
	w := newWorld(t, a, b)
	in := with(huntOf("processActivities", vars{"process": vars{"name": vars{"eq": "cmd.exe"}}}), "timeRange", vars{"last": "PT1H"})
	r := w.must(`query($in: HuntInput!) {explainHunt(input: $in) {text where timeRange {start end} steps {tenant connection stream state reason missing native dispositions {predicate disposition reason} residual error {code}}}}`, vars{"in": in})
	if got := r.text("explainHunt.timeRange"); got != "map[end:2026-01-02T04:00:00.000000Z start:2026-01-02T03:00:00.000000Z]" {
		t.Errorf("the range is %s", got)
	}
	where := `process.name eq "cmd.exe"`
	want := []any{"acme", "a", "s", "COMPLETE", nil, where, nil, "EXACT", where}
	got := []any{}
	for _, path := range []string{"tenant", "connection", "stream", "state", "reason", "native", "residual", "dispositions.0.disposition", "dispositions.0.predicate"} {
		got = append(got, r.at("explainHunt.steps.0."+path))
	}
	if !slices.Equal(got, want) || r.at("explainHunt.where") != where || !strings.Contains(r.text("explainHunt.text"), "SEARCH     acme/a s") {
		t.Errorf("planned %v, want %v\n%s", got, want, r.at("explainHunt.text"))
	}
	if r.at("explainHunt.steps.1.state") != "PRUNED" || r.text("explainHunt.steps.1.reason") != "holds no process_activity" {
		t.Errorf("planned %v", r.at("explainHunt.steps.1"))
	}
}

// TestEveryWayShowsTheSameValues: nodes, edges, hunt, node and the stream fetch what is selected in them.
func TestEveryWayShowsTheSameValues(t *testing.T) {
	_, c := filled(t, 8, "acme", "a", 12, ocsf.ProcessActivity)
	w := newWorld(t, c)
	const fields = `id raw unmapped process {name pid file {hashes {algorithm value}} } device {ip}`
	in := vars{"in": huntOf("processActivities", vars{})}
	nodes := w.must(`{q: processActivities(timeRange: `+wide+`) {nodes {`+fields+`}}}`, nil).list("q.nodes")
	want := []string{}
	for _, n := range nodes {
		want = append(want, fmt.Sprint(n))
	}
	if text := fmt.Sprint(want); len(nodes) < 8 || !strings.Contains(text, "algorithm:MD5") || !strings.Contains(text, "10.0.0.") {
		t.Fatalf("%d nodes that show too little: %s", len(nodes), text)
	}
	event := `... on ProcessActivity {` + fields + `}`
	hunt := func(sel string) string { return `query($in: HuntInput!) {q: hunt(input: $in) {` + sel + `}}` }
	ways := map[string][]any{
		"edges":                  w.must(`{q: processActivities(timeRange: `+wide+`) {edges {node {`+fields+`}}}}`, nil).list("q.edges"),
		"edges in a fragment":    w.must(`{q: processActivities(timeRange: `+wide+`) {...F}} fragment F on ProcessActivityConnection {edges {... on ProcessActivityEdge {node {`+fields+`}}}}`, nil).list("q.edges"),
		"nodes under an alias":   w.must(`{q: processActivities(timeRange: `+wide+`) {nodes {uid} rows: nodes {`+fields+`}}}`, nil).list("q.rows"),
		"nodes of hunt":          w.must(hunt(`nodes {`+event+`}`), in).list("q.nodes"),
		"edges of hunt":          w.must(hunt(`edges {node {`+event+`}}`), in).list("q.edges"),
		"events of subscription": {},
		"node":                   {},
	}
	for _, n := range nodes {
		ways["node"] = append(ways["node"], w.must(`query($id: ID!) {node(id: $id) {`+event+`}}`, vars{"id": at(n, "id")}).at("node"))
	}
	resp := post(t.Context(), t, serve(t, w), vars{"query": `subscription($in: HuntInput!) {hunt(input: $in) {... on HuntEvents {events {` + event + `}}}}`, "variables": in}, "Accept", "text/event-stream", "Authorization", "Bearer "+aliceToken)
	f := &follower{t, bufio.NewScanner(resp.Body)}
	f.scan.Buffer(nil, 1<<20)
	for r := f.next(); r != nil; r = f.next() {
		ways["events of subscription"] = append(ways["events of subscription"], r.list("hunt.events")...)
	}
	for way, list := range ways {
		got := []string{}
		for _, n := range list {
			if m, ok := n.(map[string]any); ok && m["node"] != nil {
				n = m["node"]
			}
			got = append(got, fmt.Sprint(n))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s gives\n%.2000s\nwant\n%.2000s", way, got, want)
		}
	}
}
