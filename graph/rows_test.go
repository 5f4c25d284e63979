package graph_test

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// onProcessors runs f with n processors, which decide in how many parts a list is written.
func onProcessors(n int, f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	f()
}

// TestPartsOfAListMakeTheList writes a page of three merged connections in one part and in several.
func TestPartsOfAListMakeTheList(t *testing.T) {
	w := threeConnections(t, 1000)
	v := vars{"timeRange": wideVar(), "tenants": []string{"acme", "beta"}, "first": 10_000}
	var whole *reply
	onProcessors(1, func() { whole = w.must(pageQuery, v) })
	if n := len(whole.list("processActivities.edges")); n < 2500 {
		t.Fatalf("%d rows, wanted most of 3000", n)
	}
	for n := 2; n < 7; n++ {
		onProcessors(n, func() {
			if got := w.must(pageQuery, v); !bytes.Equal(got.raw, whole.raw) {
				t.Errorf("in %d parts the answer is another one", n)
			}
		})
	}
}

// TestRowsAreNumberedThroughout checks which rows each part is given, at the borders of runs and parts.
func TestRowsAreNumberedThroughout(t *testing.T) {
	page := &exec.Page{}
	var want []string
	for i := range 50 {
		n := i % 7 * 20
		page.Rows = append(page.Rows, exec.Rows{Run: vector.Run{From: i, To: i + n}})
		for row := i; row < i+n; row++ {
			want = append(want, fmt.Sprintf("[%d,%d]", row, len(want)))
		}
	}
	page.Count = len(want)
	onProcessors(4, func() {
		var out bytes.Buffer
		graph.List(page, func() graph.AppendRow {
			return func(b []byte, _ *exec.Rows, row, number int) []byte { return fmt.Appendf(b, "[%d,%d]", row, number) }
		}).MarshalGQL(&out)
		if out.String() != "["+strings.Join(want, ",")+"]" {
			t.Errorf("written as %.200s", out.String())
		}
	})
}

// TestAFaultInAPartIsTheCallers must not end the program: whoever writes the list recovers.
func TestAFaultInAPartIsTheCallers(t *testing.T) {
	page := &exec.Page{Rows: []exec.Rows{{Run: vector.Run{To: 4000}}}, Count: 4000}
	onProcessors(4, func() {
		defer func() {
			if fault := recover(); fault != "row 3000" {
				t.Errorf("recovered %v", fault)
			}
		}()
		graph.List(page, func() graph.AppendRow {
			return func(b []byte, _ *exec.Rows, row, _ int) []byte {
				if row == 3000 {
					panic("row 3000")
				}
				return append(b, '0')
			}
		}).MarshalGQL(io.Discard)
	})
}
