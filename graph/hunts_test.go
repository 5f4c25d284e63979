package graph_test

import (
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
