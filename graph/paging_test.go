package graph_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

const pageQuery = `query($timeRange: TimeRangeInput!, $where: ProcessActivityFilter, $first: Int, $after: String, $orderBy: EventOrder, $tenants: [String!], $connections: [String!]) {
	processActivities(timeRange: $timeRange, where: $where, first: $first, after: $after, orderBy: $orderBy, tenants: $tenants, connections: $connections) {
		nodes {uid time tenant connection} edges {cursor node {uid}} pageInfo {hasNextPage hasPreviousPage startCursor endCursor}
		totalCount {value accuracy} coverage {verdict complete timeRange {start end} connections {tenant connection rowsReturned}}
	}
}`

func wideVar() vars { return vars{"start": "0001-01-02T00:00:00Z", "end": "9999-12-31T00:00:00Z"} }

// pagesOf reads a hunt to its end and returns its pages.
func pagesOf(t *testing.T, w *world, base vars, first int) []*reply {
	t.Helper()
	var out []*reply
	v := vars{"first": first}
	for k, x := range base {
		v[k] = x
	}
	for {
		r := w.must(pageQuery, v)
		out = append(out, r)
		if len(out) > 2000 {
			t.Fatal("the pages do not end")
		}
		if r.at("processActivities.pageInfo.hasNextPage") != true {
			return out
		}
		v["after"] = r.at("processActivities.pageInfo.endCursor")
	}
}

func keysOf(r *reply) []string {
	var out []string
	for _, n := range r.list("processActivities.nodes") {
		out = append(out, fmt.Sprint(at(n, "time"), "|", at(n, "tenant"), "|", at(n, "connection"), "|", at(n, "uid")))
	}
	return out
}

func threeConnections(t *testing.T, rows int) *world {
	_, a := filled(t, 1, "acme", "a", rows, ocsf.ProcessActivity)
	_, b := filled(t, 2, "acme", "b", rows, ocsf.ProcessActivity)
	_, c := filled(t, 3, "beta", "a", rows, ocsf.ProcessActivity)
	return newWorld(t, a, b, c).as("alice", "acme", "beta")
}

func TestPagesOfAnySizeAreOnePage(t *testing.T) {
	w := threeConnections(t, 40)
	for _, order := range []string{"TIME_ASC", "TIME_DESC"} {
		base := vars{"timeRange": wideVar(), "orderBy": order, "tenants": []string{"acme", "beta"}, "where": vars{"not": vars{"process": vars{"pid": vars{"eq": 443}}}}}
		whole := pagesOf(t, w, base, 10_000)
		want := keysOf(whole[0])
		if len(whole) != 1 || len(want) < 60 {
			t.Fatalf("%s: %d pages, %d rows", order, len(whole), len(want))
		}
		sorted := slices.Sorted(slices.Values(want))
		if order == "TIME_DESC" {
			slices.Reverse(sorted)
		}
		if !slices.Equal(sorted, want) {
			t.Errorf("%s: the rows are not in order", order)
		}
		for _, first := range []int{1, 7, len(want) / 3, len(want), 1000} {
			checkPages(t, pagesOf(t, w, base, first), want, first, order)
		}
	}
}

// checkPages compares pages with the rows of the whole, and what each says about the rest.
func checkPages(t *testing.T, pages []*reply, want []string, first int, order string) {
	t.Helper()
	var got []string
	for i, p := range pages {
		name := fmt.Sprintf("%s, first %d, page %d", order, first, i)
		last := i == len(pages)-1
		got = append(got, keysOf(p)...)
		count, accuracy := fmt.Sprint(len(got)+1), "LOWER_BOUND"
		if last {
			count, accuracy = fmt.Sprint(len(want)), "EXACT"
		}
		if p.text("processActivities.totalCount.value") != count || p.text("processActivities.totalCount.accuracy") != accuracy {
			t.Errorf("%s: totalCount %v, want %s %s", name, p.at("processActivities.totalCount"), count, accuracy)
		}
		if p.at("processActivities.pageInfo.hasPreviousPage") != false || p.text("processActivities.coverage.verdict") != "FOUND" {
			t.Errorf("%s: %v, %v", name, p.at("processActivities.pageInfo"), p.at("processActivities.coverage"))
		}
		edges := p.list("processActivities.edges")
		if at(edges[0], "cursor") != p.at("processActivities.pageInfo.startCursor") || at(edges[len(edges)-1], "cursor") != p.at("processActivities.pageInfo.endCursor") {
			t.Errorf("%s: startCursor and endCursor are not those of the first and last edge", name)
		}
	}
	if pagesWanted := (len(want) + first - 1) / first; len(pages) != pagesWanted || !slices.Equal(got, want) {
		t.Errorf("%s, first %d: %d pages with %d rows, want %d with %d; the same rows: %v", order, first, len(pages), len(got), pagesWanted, len(want), slices.Equal(got, want))
	}
}

// TestEveryEdgeContinues: the cursor of each edge, whatever it was selected beside, continues after it and knows how many came before.
func TestEveryEdgeContinues(t *testing.T) {
	w := threeConnections(t, 10)
	r := w.must(`{processActivities(timeRange: `+wide+`, tenants: ["acme", "beta"], first: 8) {a: edges {cursor} nodes {uid} b: edges {x: cursor node {uid}} totalCount {value} coverage {complete}}}`, nil)
	all := w.must(`{processActivities(timeRange: `+wide+`, tenants: ["acme", "beta"], first: 100) {nodes {uid}}}`, nil).uids("processActivities")
	for i := range 8 {
		cursor := r.text(fmt.Sprintf("processActivities.b.%d.x", i))
		if cursor != r.text(fmt.Sprintf("processActivities.a.%d.cursor", i)) {
			t.Errorf("edge %d has two cursors", i)
		}
		next := w.must(`query($c: String) {processActivities(timeRange: `+wide+`, tenants: ["acme", "beta"], first: 100, after: $c) {nodes {uid} totalCount {value accuracy}}}`, vars{"c": cursor})
		if got := next.uids("processActivities"); !slices.Equal(got, all[i+1:]) || next.text("processActivities.totalCount.value") != fmt.Sprint(len(all)) {
			t.Errorf("after edge %d come %d rows, want %d; totalCount %v, want %d", i, len(got), len(all)-i-1, next.at("processActivities.totalCount"), len(all))
		}
	}
}

// TestPagesWithoutRows: an empty page still tells whether there are rows.
func TestPagesWithoutRows(t *testing.T) {
	w := threeConnections(t, 10)
	base := vars{"timeRange": wideVar(), "tenants": []string{"beta"}, "first": 0}
	r := w.must(pageQuery, base)
	for path, want := range map[string]string{
		"nodes": "[]", "edges": "[]", "pageInfo.hasNextPage": "true", "pageInfo.endCursor": "<nil>", "coverage.verdict": "FOUND", "totalCount.accuracy": "LOWER_BOUND", "totalCount.value": "1",
	} {
		if got := r.text("processActivities." + path); got != want {
			t.Errorf("first 0: %s is %s, want %s", path, got, want)
		}
	}
	base["where"] = vars{"process": vars{"name": vars{"in": []string{}}}}
	r = w.must(pageQuery, base)
	if got := r.text("processActivities.coverage.verdict") + r.text("processActivities.totalCount"); got != "NOT_FOUND_COMPLETEmap[accuracy:EXACT value:0]" {
		t.Errorf("first 0 of nothing: %s", got)
	}
	delete(base, "where")
	base["first"] = 100
	base["after"] = w.must(pageQuery, base).at("processActivities.pageInfo.endCursor")
	r = w.must(pageQuery, base)
	if r.text("processActivities.nodes") != "[]" || r.text("processActivities.coverage.verdict") != "FOUND" || r.at("processActivities.pageInfo.hasNextPage") != false {
		t.Errorf("after the last row: %v %v", r.at("processActivities.pageInfo"), r.at("processActivities.coverage.verdict"))
	}
	for _, first := range []int{-1, 10_001} {
		w.ask(pageQuery, vars{"timeRange": wideVar(), "tenants": []string{"beta"}, "first": first}).refused(t, fmt.Sprint("first ", first), "BAD_USER_INPUT", "first")
	}
}

// TestForeignCursors: a cursor continues its own hunt only.
func TestForeignCursors(t *testing.T) {
	w := threeConnections(t, 10)
	base := func() vars {
		return vars{"timeRange": wideVar(), "first": 2, "tenants": []string{"acme"}, "where": vars{"process": vars{"name": vars{"exists": true}}}}
	}
	cursor := w.must(pageQuery, base()).text("processActivities.pageInfo.endCursor")
	if n := len(w.must(pageQuery, with(base(), "after", cursor)).list("processActivities.nodes")); n != 2 {
		t.Fatalf("the cursor gives %d rows of its own hunt", n)
	}
	for name, v := range map[string]vars{
		"filter":       with(base(), "where", vars{"process": vars{"name": vars{"exists": false}}}),
		"no filter":    with(base(), "where", nil),
		"range":        with(base(), "timeRange", vars{"start": "0001-01-03T00:00:00Z", "end": "9999-12-31T00:00:00Z"}),
		"last":         with(base(), "timeRange", vars{"last": "P7D"}),
		"order":        with(base(), "orderBy", "TIME_DESC"),
		"other tenant": with(base(), "tenants", []string{"beta"}),
		"more tenants": with(base(), "tenants", []string{"acme", "beta"}),
		"connections":  with(base(), "connections", []string{"a"}),
	} {
		w.ask(pageQuery, with(v, "after", cursor)).refused(t, "cursor of another "+name, "BAD_CURSOR", "after")
	}
	mallory := w.as("mallory", "acme", "beta")
	mallory.ask(pageQuery, with(base(), "after", cursor)).refused(t, "cursor of somebody else", "BAD_CURSOR", "after")
	other := strings.NewReplacer("processActivities", "fileActivities", "ProcessActivityFilter", "FileActivityFilter").Replace(pageQuery)
	w.ask(other, with(with(base(), "where", nil), "after", w.must(pageQuery, with(base(), "where", nil)).text("processActivities.pageInfo.endCursor"))).
		refused(t, "cursor of another root field", "BAD_CURSOR", "after")
	w.ask(`query($c: String) {hunt(after: $c, input: {tenants: ["acme"], timeRange: `+wide+`, match: {steps: [{as: "x", event: {processActivities: {process: {name: {exists: true}}}}}]}}) {nodes {uid}}}`, vars{"c": cursor}).
		refused(t, "cursor of another root field", "BAD_CURSOR", "after")
	*w.resolver = *newWorld(t, w.resolver.Engine.Connections...).resolver
	w.resolver.CursorKey = []byte("another key of thirty-two bytes..")
	w.ask(pageQuery, with(base(), "after", cursor)).refused(t, "cursor of another service", "BAD_CURSOR", "after")
}

func with(v vars, key string, value any) vars {
	out := vars{key: value}
	for k, x := range v {
		if k != key {
			out[k] = x
		}
	}
	return out
}

// TestChangedCursors: a cursor that was changed at any place, cut, or invented is refused.
func TestChangedCursors(t *testing.T) {
	w := threeConnections(t, 5).as("bob", "acme")
	base := vars{"timeRange": wideVar(), "first": 2}
	cursor := w.must(pageQuery, base).text("processActivities.pageInfo.endCursor")
	try := func(what, text string) {
		w.ask(pageQuery, with(base, "after", text)).refused(t, what, "BAD_CURSOR", "after")
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range cursor {
		other := digits[(strings.IndexByte(digits, cursor[i])+1)%len(digits)]
		try(fmt.Sprint("byte ", i), cursor[:i]+string(other)+cursor[i+1:])
		if i%8 == 0 {
			try(fmt.Sprint("cut at ", i), cursor[:i])
			try(fmt.Sprint("line break at ", i), cursor[:i]+"\n"+cursor[i:])
		}
	}
	for _, text := range []string{"", "x", "null", "=", cursor + "A", cursor + "=", cursor + "\r", " " + cursor, cursor + cursor, strings.Repeat("A", 5000)} {
		try("invented", text)
	}
}

// TestLastKeepsItsRange: `last` is resolved once; later pages are of the same time though the clock went on.
func TestLastKeepsItsRange(t *testing.T) {
	w := threeConnections(t, 40).as("bob", "beta")
	base := vars{"timeRange": vars{"last": "PT1H"}, "first": 10}
	first := w.must(pageQuery, base)
	if got := first.at("processActivities.coverage.timeRange"); fmt.Sprint(got) != "map[end:2026-01-02T04:00:00.000000Z start:2026-01-02T03:00:00.000000Z]" {
		t.Fatalf("the last hour is %v", got)
	}
	whole := w.must(pageQuery, with(base, "first", 1000)).uids("processActivities")
	*w.now = w.now.Add(50 * time.Minute)
	got := first.uids("processActivities")
	for r := first; r.at("processActivities.pageInfo.hasNextPage") == true; got = append(got, r.uids("processActivities")...) {
		r = w.must(pageQuery, with(base, "after", r.at("processActivities.pageInfo.endCursor")))
		if a, b := r.text("processActivities.coverage.timeRange"), first.text("processActivities.coverage.timeRange"); a != b {
			t.Fatalf("a later page is of %s, the first of %s", a, b)
		}
	}
	if !slices.Equal(got, whole) || len(whole) < 11 {
		t.Errorf("%d rows in pages, %d in one", len(got), len(whole))
	}
	if now := w.must(pageQuery, base).text("processActivities.coverage.timeRange.end"); now != "2026-01-02T04:50:00.000000Z" {
		t.Errorf("a new hunt ends at %s", now)
	}
}

// TestRowsThatComeBetweenPages are not part of the hunt.
func TestRowsThatComeBetweenPages(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	rng := rand.New(rand.NewPCG(8, 8))
	m := memory.Open(hunt.Identity{Tenant: "acme", Connection: "a"})
	add(t, m, stream(class), hunttest.RandomBatch(rng, class, 30))
	w := newWorld(t, connection("acme", "a", m))
	base := vars{"timeRange": wideVar()}
	want := pagesOf(t, w, base, 1000)[0].uids("processActivities")
	v, got := with(base, "first", 7), []string{}
	for {
		r := w.must(pageQuery, v)
		got = append(got, r.uids("processActivities")...)
		if r.at("processActivities.pageInfo.hasNextPage") != true {
			break
		}
		add(t, m, stream(class), vector.Project(hunttest.RandomBatch(rng, class, 10), hunt.Schema(class, hunttest.Paths(class))))
		v = with(v, "after", r.at("processActivities.pageInfo.endCursor"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d rows in pages, want the %d of the first page's time", len(got), len(want))
	}
	if n := len(w.must(pageQuery, with(base, "first", 1000)).uids("processActivities")); n != len(want)+40 {
		t.Errorf("a new hunt sees %d rows, want %d", n, len(want)+40)
	}
}
