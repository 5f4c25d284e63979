package elastic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// connections is a stream of network connections with some attributes.
func connections() *hunt.Stream {
	return &hunt.Stream{Name: "flow", Class: ocsf.ByUID(ocsf.NetworkActivity), Attributes: map[string]bool{
		"src_endpoint.ip": true, "dst_endpoint.ip": true, "dst_endpoint.port": true, "severity_id": true, "metadata.uid": true}}
}

// events makes rows events: i is at start + step(i) microseconds.
func events(s *hunt.Stream, rows int, at func(i int) int64) arrow.RecordBatch {
	schema := hunt.Schema(s.Class, []string{"src_endpoint.ip", "dst_endpoint.port", "metadata.uid", "severity_id", ocsf.ColRaw})
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i := range rows {
		for f, field := range schema.Fields() {
			switch c := b.Field(f).(type) {
			case *array.StringBuilder:
				switch field.Name {
				case ocsf.ColUID:
					c.Append(fmt.Sprintf("%032x", i*7919))
				case ocsf.ColRaw:
					c.Append(fmt.Sprintf(`{"n":%d,"text":"a record as it came from the sensor, with some words in it"}`, i))
				default:
					c.Append(fmt.Sprint("event-", i))
				}
			case *array.TimestampBuilder:
				c.Append(arrow.Timestamp(at(i)))
			case *array.Int64Builder:
				c.Append(int64(i % 7))
			case *array.FixedSizeBinaryBuilder:
				ip := [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}
				c.Append(ip[:])
			}
		}
	}
	return b.NewRecordBatch()
}

// found is what a search gave.
type found struct {
	uids     []string
	times    []int64
	parts    []hunt.PartFailed
	rejected []hunt.Rejected
	throttle []hunt.Throttled
	batches  []arrow.RecordBatch
	end      *hunt.End
	err      *hunt.Error
}

// search runs a request; stop says after which number of rows to stop, 0 for never.
func search(t testing.TB, e *elastic.Elastic, r hunt.Request, stop int) found {
	t.Helper()
	tr, err := e.Translate(r)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, e, tr, stop)
}

func run(t testing.TB, e *elastic.Elastic, tr *hunt.Translation, stop int) found {
	t.Helper()
	var out found
	for f, err := range e.Search(t.Context(), tr) {
		if err != nil {
			out.err = hunt.AsError(err, hunt.Internal)
			break
		}
		switch f := f.(type) {
		case *hunt.Batch:
			if out.end != nil {
				t.Error("rows came after the end")
			}
			out.batches = append(out.batches, f.Record)
			for i := range int(f.Record.NumRows()) {
				us, uid := vector.KeyAt(f.Record, i)
				out.uids, out.times = append(out.uids, strings.Clone(uid)), append(out.times, us)
			}
		case hunt.PartFailed:
			out.parts = append(out.parts, f)
		case hunt.Rejected:
			out.rejected = append(out.rejected, f)
		case hunt.Throttled:
			out.throttle = append(out.throttle, f)
		case hunt.End:
			out.end = &f
		}
		if stop > 0 && len(out.uids) >= stop {
			break
		}
	}
	return out
}

// complete fails the test unless the answer is whole and in order.
func (f found) complete(t testing.TB, order hunt.Order) {
	t.Helper()
	if f.err != nil || f.end == nil || len(f.parts) > 0 || len(f.rejected) > 0 {
		t.Fatalf("error %v, end %v, parts %v, rejected %v", f.err, f.end, f.parts, f.rejected)
	}
	f.ordered(t, order)
}

func (f found) ordered(t testing.TB, order hunt.Order) {
	t.Helper()
	for i := 1; i < len(f.uids); i++ {
		a, b := i-1, i
		if order == hunt.TimeDesc {
			a, b = b, a
		}
		if f.times[a] > f.times[b] || f.times[a] == f.times[b] && f.uids[a] >= f.uids[b] {
			t.Fatalf("row %d (%d %s) and row %d (%d %s) are not in order", i-1, f.times[i-1], f.uids[i-1], i, f.times[i], f.uids[i])
		}
	}
}

// everything asks a stream for all its rows.
func everything(s *hunt.Stream, columns ...string) hunt.Request {
	return hunt.Request{Stream: s.Name, Class: s.Class, Range: hunttest.Always(), Where: hunt.True(), Columns: columns}
}

// do sends a plain request to a node.
func do(t testing.TB, method, url, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, url, res.StatusCode, text, err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s %s: %s", method, url, text)
	}
	return out
}

// contexts counts the points in time and scrolls that a node holds.
// Those of earlier tests whose deletion a fault kept from the node are among them for three minutes, so tests compare.
func contexts(t testing.TB, n *node.Node) int {
	t.Helper()
	total := 0
	for _, one := range do(t, "GET", n.URL()+"/_nodes/stats/indices/search", "")["nodes"].(map[string]any) {
		stats := one.(map[string]any)["indices"].(map[string]any)["search"].(map[string]any)
		for _, name := range []string{"open_contexts", "scroll_current", "point_in_time_current"} {
			if v, ok := stats[name].(float64); ok {
				total += int(v)
			}
		}
	}
	return total
}

const day = int64(86_400_000_000)

// TestExactlyOnce reads 100,000 events of 6 shards (of OpenSearch 50,000) in both orders and at two page sizes: every row once, in order,
// nothing left open. The events lie densely in places, a quarter of them in one instant, which is more than a page.
func TestExactlyOnce(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		before := contexts(t, n)
		s := connections()
		rows := 100_000
		if strings.Contains(t.Name(), string(node.OpenSearch)) {
			rows = 50_000 // it is written and read in the same way, but for sweeps
		}
		rec := events(s, rows, func(i int) int64 {
			switch {
			case i%4 == 0:
				return 1_767_000_000_000_000 // one instant
			case i%4 == 1:
				return 1_767_000_000_000_001 + int64(i) // dense
			}
			return 1_767_000_000_000_000 - 40*day + int64(i)*80*day/int64(rows)
		})
		e := open(t, elastic.Config{URLs: []string{n.URL()}, Prefix: "once", Shards: 6}, elastic.Options{})
		if err := ingest(t.Context(), e, "a", hunttest.Data{Stream: s, Record: rec}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		small := open(t, elastic.Config{URLs: []string{n.URL()}, Prefix: "once", BatchRows: 1500, PageBytes: 200_000}, elastic.Options{})
		if _, err := small.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := make([]string, rows)
		for i := range want {
			want[i] = fmt.Sprintf("%032x", i*7919)
		}
		slices.Sort(want)
		for _, c := range []*elastic.Elastic{e, small} {
			for _, order := range []hunt.Order{hunt.TimeAsc, hunt.TimeDesc} {
				r := everything(s, "src_endpoint.ip", "dst_endpoint.port")
				r.Order = order
				began := time.Now()
				got := search(t, c, r, 0)
				t.Logf("%s: %d rows in %v", order, len(got.uids), time.Since(began))
				got.complete(t, order)
				slices.Sort(got.uids)
				if !slices.Equal(got.uids, want) {
					t.Errorf("%d rows came (%d different), want %d", len(got.uids), len(slices.Compact(got.uids)), rows)
				}
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := small.Close(); err != nil {
			t.Error(err)
		}
		if open := contexts(t, n); open > before {
			t.Errorf("%d search contexts are open, %d were before", open, before)
		}
	})
}

// TestForeseen: where the description says that there is much, everything is asked for without a look at the first rows; events of which the
// description does not know are found all the same.
func TestForeseen(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		const rows, start = 5000, 1_767_000_000_000_000
		s := connections()
		writer := open(t, elastic.Config{URLs: []string{n.URL()}, Prefix: "foreseen"}, elastic.Options{})
		if err := ingest(t.Context(), writer, "a", hunttest.Data{Stream: s, Record: events(s, rows, func(i int) int64 { return start + int64(i)*1000 })}); err != nil {
			t.Fatal(err)
		}
		var looks atomic.Int64 // requests that are not within a point in time
		p := newProxy(t, n)
		p.set(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/_search") && r.URL.Path != "/_search" {
				looks.Add(1)
			}
			return false
		}, nil)
		e := open(t, elastic.Config{URLs: []string{p.URL}, Prefix: "foreseen", BatchRows: 1000}, elastic.Options{})
		if _, err := e.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		ask := func(name string, r hunt.Request, wantRows int, wantLook bool) {
			t.Helper()
			looks.Store(0)
			got := search(t, e, r, 0)
			got.complete(t, r.Order)
			if len(got.uids) != wantRows || (looks.Load() > 0) != wantLook {
				t.Errorf("%s: %d rows and %d looks, want %d rows, a look %t", name, len(got.uids), looks.Load(), wantRows, wantLook)
			}
		}
		all := everything(s, "dst_endpoint.port")
		ask("nothing is known of the size of rows", all, rows, true)
		ask("everything", all, rows, false)
		more := events(s, rows+3, func(i int) int64 { return start + int64(i-rows-1)*7300*day })
		if err := ingest(t.Context(), writer, "b", hunttest.Data{Stream: s, Record: more.NewSlice(rows, rows+3)}); err != nil {
			t.Fatal(err)
		}
		all.Order = hunt.TimeDesc
		ask("events before and after those that are known", all, rows+3, false)
		part := all
		part.Range = hunt.TimeRange{Start: start, End: start + 1000*rows/10}
		ask("a small part", part, rows/10+1, true) // and one of the events that came later
		ask("other columns", everything(s, "dst_endpoint.port", "severity_id"), rows+3, true)
		ask("a condition", equal(t, s, "src_endpoint.ip", hunt.IP(netip.MustParseAddr("10.99.99.99"))), 0, true)
	})
}

// TestLimitedSearchReadsLittle: a consumer that has enough after some rows costs the cluster about as many; one that goes on gets all.
func TestLimitedSearchReadsLittle(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		const rows, limit = 20_000, 3001
		s := connections()
		rec := events(s, rows, func(i int) int64 { return 1_767_000_000_000_000 + int64(i)*int64(time.Minute/time.Microsecond) })
		e := open(t, elastic.Config{URLs: []string{n.URL()}, Prefix: "little"}, elastic.Options{})
		if err := ingest(t.Context(), e, "a", hunttest.Data{Stream: s, Record: rec}); err != nil {
			t.Fatal(err)
		}
		var documents atomic.Int64
		p := newProxy(t, n)
		p.set(nil, func(r *http.Response) error {
			return rewrite(r, func(body []byte) []byte {
				documents.Add(int64(bytes.Count(body, []byte(`{"_index":`))))
				return body
			})
		})
		through := open(t, elastic.Config{URLs: []string{p.URL}, Prefix: "little", BatchRows: 1000}, elastic.Options{})
		if _, err := through.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, columns := range [][]string{{"dst_endpoint.port"}, {"dst_endpoint.port", ocsf.ColRaw}} { // by value and by document
			for _, order := range []hunt.Order{hunt.TimeAsc, hunt.TimeDesc} {
				r := everything(s, columns...)
				r.Order, r.Limit = order, limit
				documents.Store(0)
				got := search(t, through, r, limit)
				got.ordered(t, order)
				if n := documents.Load(); got.err != nil || len(got.uids) < limit || n > 2*limit {
					t.Errorf("%s %v: %v; the cluster gave %d documents for %d rows", order, columns, got.err, n, len(got.uids))
				}
				if got := search(t, through, r, 0); len(got.uids) != rows {
					t.Errorf("%s %v: %d rows, want %d", order, columns, len(got.uids), rows)
				} else {
					got.complete(t, order)
				}
			}
		}
	})
}

// TestSomeElement: that an array has an element is asked of nobody, so the search itself looks.
func TestSomeElement(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		do(t, "PUT", n.URL()+"/some-element", `{"mappings":{"properties":{"time":{"type":"date"},"class_uid":{"type":"integer"}}}}`)
		for i, hashes := range []string{`[{"algorithm_id":3,"value":"ab"}]`, `[]`, `null`} {
			do(t, "PUT", fmt.Sprintf("%s/some-element/_doc/%d?refresh=true", n.URL(), i),
				fmt.Sprintf(`{"time":%d,"class_uid":1007,"process":{"file":{"hashes":%s}}}`, 1_767_000_000_000+i, hashes))
		}
		e := open(t, elastic.Config{URLs: []string{n.URL()}, Indices: []string{"some-element"}, Format: elastic.FormatOCSF}, elastic.Options{})
		d, err := e.Describe(t.Context())
		if err != nil || len(d.Streams) != 1 {
			t.Fatalf("%+v, %v", d, err)
		}
		r := everything(&d.Streams[0])
		r.Where = hunt.Some{List: "process.file.hashes", Expr: hunt.And{}}
		with := search(t, e, r, 0)
		with.complete(t, hunt.TimeAsc)
		r.Where = hunt.Not{Expr: r.Where}
		without := search(t, e, r, 0)
		without.complete(t, hunt.TimeAsc)
		if len(with.uids) != 1 || len(without.uids) != 2 {
			t.Errorf("%d events have an element and %d have none, want 1 and 2", len(with.uids), len(without.uids))
		}
		if got := with.batches[0].Schema().NumFields(); got != 2 {
			t.Errorf("the batch has %d columns, want uid and time", got)
		}
	})
}

// TestOneLongValue: of many rows one has a text that is longer than what the cluster indexes, so that it is in the document alone.
func TestOneLongValue(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		const rows, at = 7000, 5555
		s := connections()
		plain := events(s, rows, func(i int) int64 { return 1_767_000_000_000_000 + int64(i) })
		long := strings.Repeat("a long text ", 1000)
		cols := plain.Columns()
		texts := array.NewStringBuilder(memory.DefaultAllocator)
		column := plain.Schema().FieldIndices("metadata.uid")[0]
		for i := range rows {
			if i == at {
				texts.Append(long)
			} else {
				texts.Append(cols[column].(*array.String).Value(i))
			}
		}
		cols = slices.Clone(cols)
		cols[column] = texts.NewArray()
		e := open(t, elastic.Config{URLs: []string{n.URL()}, Prefix: "long"}, elastic.Options{})
		if err := ingest(t.Context(), e, "a", hunttest.Data{Stream: s, Record: array.NewRecordBatch(plain.Schema(), cols, rows)}); err != nil {
			t.Fatal(err)
		}
		described(t, e)
		got := search(t, e, everything(s, "metadata.uid"), 0)
		got.complete(t, hunt.TimeAsc)
		row := 0
		for _, rec := range got.batches {
			for i := range int(rec.NumRows()) {
				if want := fmt.Sprint("event-", row); row != at && textAt(rec, "metadata.uid", i) != want || row == at && textAt(rec, "metadata.uid", i) != long {
					t.Fatalf("row %d has a text of %d bytes: %.40q", row, len(textAt(rec, "metadata.uid", i)), textAt(rec, "metadata.uid", i))
				}
				row++
			}
		}
		if row != rows {
			t.Errorf("%d rows, want %d", row, rows)
		}
	})
}

// TestSweepFaults: a request of a long search is refused, or its point in time is lost, at any place: every row comes once all the same.
func TestSweepFaults(t *testing.T) {
	n := sharedNode(t, node.Elasticsearch)
	p := newProxy(t, n)
	s := connections()
	const rows = 4000
	e := open(t, elastic.Config{URLs: []string{p.URL}, Prefix: "sweep", Shards: 2, BatchRows: 300}, elastic.Options{})
	rec := events(s, rows, func(i int) int64 { return 1_767_000_000_000_000 + int64(i%1000) })
	if err := ingest(t.Context(), e, "a", hunttest.Data{Stream: s, Record: rec}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	for status, kind := range map[int]string{http.StatusTooManyRequests: "es_rejected_execution_exception", http.StatusNotFound: "search_context_missing_exception"} {
		for place := range int32(12) {
			var searches atomic.Int32
			p.set(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/_search" || searches.Add(1)-1 != place { // those within a point in time name no index
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				fmt.Fprintf(w, `{"error":{"root_cause":[{"type":%q,"reason":"x"}],"type":%q,"reason":"x"},"status":%d}`, kind, kind, status)
				return true
			}, nil)
			r := everything(s, "dst_endpoint.port", ocsf.ColRaw)
			if place%2 == 1 {
				r.Order = hunt.TimeDesc
			}
			got := search(t, e, r, 0)
			got.complete(t, r.Order)
			if len(got.uids) != rows {
				t.Errorf("%s at request %d: %d rows, want %d", kind, place, len(got.uids), rows)
			}
			if searches.Load() < 10 {
				t.Fatalf("only %d requests", searches.Load())
			}
		}
	}
}
