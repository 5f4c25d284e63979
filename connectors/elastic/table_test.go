package elastic_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// isTable says whether a request asks for a table.
func isTable(r *http.Request) bool { return r.URL.Path == "/_query" }

// refuseTables is a cluster without ES|QL.
func refuseTables(w http.ResponseWriter, r *http.Request) bool {
	if !isTable(r) {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprint(w, `{"error":"no handler found for uri [/_query] and method [POST]"}`)
	return true
}

// valuePaths are the columns of a class that are read by value.
func valuePaths(c *ocsf.Class) []string {
	var out []string
	for _, col := range c.Columns {
		if col.List == "" && col.Type != ocsf.JSON && col.Path != ocsf.ColRaw && col.Path != ocsf.ColUnmapped && len(out) < 80 {
			out = append(out, col.Path)
		}
	}
	return out
}

// TestTablesAreTheRows: values of all types are the same in a table and in hits.
func TestTablesAreTheRows(t *testing.T) {
	n := sharedNode(t, node.Elasticsearch)
	p := newProxy(t, n)
	rng := rand.New(rand.NewPCG(7, 9))
	for _, uid := range []int64{ocsf.NetworkActivity, ocsf.ProcessActivity} {
		class := ocsf.ByUID(uid)
		s := &hunt.Stream{Name: class.Name, Class: class, Attributes: hunttest.AllAttributes(class)}
		short := hunttest.Keeping(func(_ string, v hunt.Value) bool { // others are in the documents alone
			return v.Kind() != hunt.StringKind || hunt.IsPlainText(v.Str()) && len(v.Str()) < 1000
		})
		rec := hunttest.RandomBatch(rng, class, 4000, short)
		e := open(t, elastic.Config{URLs: []string{p.URL}, Prefix: "tables-" + strings.ReplaceAll(class.Name, "_", "-"), BatchRows: 700, Shards: 2}, elastic.Options{})
		if err := ingest(t.Context(), e, "a", hunttest.Data{Stream: s, Record: rec}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := everything(s, valuePaths(class)...)
		read := func(fault func(http.ResponseWriter, *http.Request) bool) (got found, tables, pages int64) {
			var asked, paged atomic.Int64
			p.set(func(w http.ResponseWriter, r *http.Request) bool {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if isTable(r) {
					asked.Add(1)
				} else if bytes.Contains(body, []byte(`"docvalue_fields"`)) && bytes.Contains(body, []byte(`"pit"`)) {
					paged.Add(1)
				}
				return fault != nil && fault(w, r)
			}, nil)
			defer p.set(nil, nil)
			got = search(t, e, r, 0)
			got.complete(t, r.Order)
			return got, asked.Load(), paged.Load()
		}
		tabular, tables, none := read(nil)
		plain, _, pages := read(refuseTables)
		if tables < 3 || none != 0 || pages < 3 || len(tabular.uids) != len(plain.uids) || len(tabular.uids) < 3000 {
			t.Fatalf("%s: %d rows of %d tables and %d pages, %d rows of %d pages", class.Name, len(tabular.uids), tables, none, len(plain.uids), pages)
		}
		for i, field := range tabular.batches[0].Schema().Fields() {
			if !array.Equal(wholeColumn(t, tabular, i), wholeColumn(t, plain, i)) {
				t.Errorf("%s: %s is not the same", class.Name, field.Name)
			}
		}
	}
}

// wholeColumn is a column of all batches.
func wholeColumn(t *testing.T, f found, i int) arrow.Array {
	t.Helper()
	var parts []arrow.Array
	for _, rec := range f.batches {
		parts = append(parts, rec.Column(i))
	}
	all, err := array.Concatenate(parts, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTableFaults: whatever happens to a table, every row comes once, in order, with nothing missing.
func TestTableFaults(t *testing.T) {
	const rows = 6000
	n := sharedNode(t, node.Elasticsearch)
	p := newProxy(t, n)
	s := connections()
	e := open(t, elastic.Config{URLs: []string{p.URL}, Prefix: "table-faults", BatchRows: 500, Shards: 2}, elastic.Options{})
	rec := events(s, rows, func(i int) int64 { return 1_767_000_000_000_000 + int64(i/3)*1000 })
	if err := ingest(t.Context(), e, "a", hunttest.Data{Stream: s, Record: rec}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !isTable(r) {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	edit := func(change func([]byte) []byte) func(*http.Response) error {
		return func(r *http.Response) error {
			if !isTable(r.Request) {
				return nil
			}
			return rewrite(r, change)
		}
	}
	first := regexp.MustCompile(`\[\["?[^",]+"?,`)
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request) bool
		edit  func(*http.Response) error
	}{
		"all is well":   {},
		"there is none": {fault: refuseTables},
		"not allowed":   {fault: answer(http.StatusForbidden, `{"error":{"type":"security_exception","reason":"action [indices:data/read/esql] is unauthorized"}}`)},
		"too busy":      {fault: answer(http.StatusTooManyRequests, `{"error":{"type":"es_rejected_execution_exception","reason":"x"}}`)},
		"broken inside": {fault: answer(http.StatusInternalServerError, `{"error":{"type":"null_pointer_exception","reason":"x"}}`)},
		"no JSON":       {fault: answer(http.StatusOK, `<html>`)},
		"no table":      {fault: answer(http.StatusOK, `{}`)},
		"no answer":     {fault: func(w http.ResponseWriter, r *http.Request) bool { return isTable(r) && hangUp(w, r) }},
		"cut":           {edit: edit(func(b []byte) []byte { return b[:len(b)/2] })},
		"lacks shards": {edit: edit(func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"is_partial":false`), []byte(`"is_partial":true`), 1)
		})},
		"a column is short": {edit: edit(func(b []byte) []byte { return first.ReplaceAll(b, []byte(`[[`)) })},
	} {
		for _, order := range []hunt.Order{hunt.TimeAsc, hunt.TimeDesc} {
			p.set(c.fault, c.edit)
			r := everything(s, "dst_endpoint.port", "src_endpoint.ip", "metadata.uid")
			r.Order = order
			got := search(t, e, r, 0)
			got.complete(t, order)
			if len(got.uids) != rows {
				t.Errorf("%s, %s: %d rows, want %d", name, order, len(got.uids), rows)
			}
			p.set(nil, nil)
		}
	}
}

// TestTablesThatChange: a cluster that cuts tables, and events that come while windows are read, cost nothing but time.
func TestTablesThatChange(t *testing.T) {
	const rows = 5000
	n := sharedNode(t, node.Elasticsearch)
	p := newProxy(t, n)
	s := connections()
	e := open(t, elastic.Config{URLs: []string{p.URL}, Prefix: "table-changes", BatchRows: 600}, elastic.Options{})
	at := func(i int) int64 { return 1_767_000_000_000_000 + int64(i%rows)*1000 }
	rec := events(s, rows+50, at)
	if err := ingest(t.Context(), e, "a", hunttest.Data{Stream: s, Record: rec.NewSlice(0, rows)}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := everything(s, "dst_endpoint.port")
	settings(t, n, "esql.query.result_truncation_max_size", "100")
	if got := search(t, e, r, 0); len(got.uids) != rows {
		t.Errorf("with tables of 100 rows: %d rows, want %d", len(got.uids), rows)
	} else {
		got.complete(t, r.Order)
	}
	settings(t, n, "esql.query.result_truncation_max_size", "null")
	var came atomic.Bool
	writer := open(t, elastic.Config{URLs: []string{n.URL()}, Prefix: "table-changes"}, elastic.Options{})
	p.set(func(_ http.ResponseWriter, r *http.Request) bool {
		if isTable(r) && came.CompareAndSwap(false, true) {
			if err := ingest(t.Context(), writer, "b", hunttest.Data{Stream: s, Record: rec.NewSlice(rows, rows+50)}); err != nil {
				t.Error(err)
			}
		}
		return false
	}, nil)
	got := search(t, e, r, 0)
	got.complete(t, r.Order)
	if len(got.uids) != rows || !came.Load() {
		t.Errorf("%d rows while others came, want the %d that the point in time has", len(got.uids), rows)
	}
	p.set(nil, nil)
	if got := search(t, e, r, 0); len(got.uids) != rows+50 {
		t.Errorf("%d rows afterwards, want %d", len(got.uids), rows+50)
	}
}

// TestTablesAreCancelled: no table is made for a search that was cancelled, at whatever request.
func TestTablesAreCancelled(t *testing.T) {
	n := sharedNode(t, node.Elasticsearch)
	before := contexts(t, n)
	p := newProxy(t, n)
	s := connections()
	e := open(t, elastic.Config{URLs: []string{p.URL}, Prefix: "table-left", BatchRows: 500}, elastic.Options{})
	if err := ingest(t.Context(), e, "a", hunttest.Data{Stream: s, Record: events(s, 6000, func(i int) int64 { return 1_767_000_000_000_000 + int64(i) })}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	tr, err := e.Translate(everything(s, "dst_endpoint.port"))
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(1); at < 12; at++ {
		cancelledAt(t, p, e, tr, at)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	idle(t, n, before)
}
