package elastic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// flowStart is the time of the first document that flows writes, in milliseconds.
const flowStart int64 = 1_767_000_000_000

// flowMapping is how OCSF network events are mapped; more are further members of its properties.
func flowMapping(settings, more string) string {
	return fmt.Sprintf(`{"settings":{"number_of_shards":1%s},"mappings":{"properties":{"time":{"type":"date","format":"strict_date_optional_time||epoch_millis"},
		"class_uid":{"type":"integer"},"activity_id":{"type":"integer"},"dst_endpoint":{"properties":{"port":{"type":"integer"},"hostname":{"type":"keyword"}}}%s}}}`, settings, more)
}

// flows writes OCSF network events, one each second.
func flows(t *testing.T, n *node.Node, index string, from, rows int) {
	t.Helper()
	var b bytes.Buffer
	for i := from; i < from+rows; i++ {
		fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"}}\n{\"time\":%d,\"class_uid\":4001,\"activity_id\":6,\"dst_endpoint\":{\"port\":443,\"hostname\":\"host-%d\"}}\n",
			i, flowStart+int64(i)*1000, i%10)
	}
	if answer := do(t, "POST", n.URL()+"/"+index+"/_bulk?refresh=true", b.String()); answer["errors"] != false {
		t.Fatalf("documents were not written: %v", answer)
	}
}

// drop deletes indices at the end of a test, by name: Elasticsearch deletes none by a pattern.
func drop(t *testing.T, n *node.Node, names ...string) {
	t.Cleanup(func() {
		for _, name := range names {
			req, err := http.NewRequest(http.MethodDelete, n.URL()+"/"+name, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Errorf("the index %s is left: %v", name, err)
				continue
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNotFound {
				t.Errorf("the index %s is left: %s", name, res.Status)
			}
		}
	})
}

// settings changes settings of a cluster until the end of the test.
func settings(t *testing.T, n *node.Node, name, value string) {
	t.Helper()
	change := func(value string) error {
		req, err := http.NewRequest(http.MethodPut, n.URL()+"/_cluster/settings", strings.NewReader(fmt.Sprintf(`{"persistent":{%q:%s}}`, name, value)))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if text, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", name, text)
		}
		return nil
	}
	if err := change(value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := change("null"); err != nil {
			t.Error(err)
		}
	})
}

func overOCSF(t *testing.T, url string, indices ...string) *elastic.Elastic {
	t.Helper()
	return open(t, elastic.Config{URLs: []string{url}, Indices: indices, Format: elastic.FormatOCSF, PageBytes: 60_000}, elastic.Options{})
}

// described describes and returns the stream of network events.
func described(t *testing.T, e *elastic.Elastic) (*hunt.Description, *hunt.Stream) {
	t.Helper()
	d, err := e.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Streams {
		if d.Streams[i].Class.UID == ocsf.NetworkActivity {
			return d, &d.Streams[i]
		}
	}
	t.Fatalf("there is no stream of network events: %+v", d)
	return nil, nil
}

// gaps checks that exactly these parts failed, each with a code, retryable, and a text that names what to do.
func (f found) gaps(t *testing.T, code hunt.Code, parts ...string) {
	t.Helper()
	if f.err != nil || f.end == nil {
		t.Fatalf("error %v, end %v", f.err, f.end)
	}
	for _, p := range f.parts {
		if p.Err.Code != code || p.Err.Message == "" || strings.Contains(p.Err.Message, "\n") {
			t.Errorf("gap %+v: %v, want %s", p, p.Err, code)
		}
	}
	for _, want := range parts {
		if !slices.ContainsFunc(f.parts, func(p hunt.PartFailed) bool { return strings.HasPrefix(p.Part, want) }) {
			t.Errorf("no gap of %s in %+v", want, f.parts)
		}
	}
	if len(f.parts) != len(parts) {
		t.Errorf("gaps are %+v, want %v", f.parts, parts)
	}
}

func equal(t *testing.T, s *hunt.Stream, path string, v hunt.Value) hunt.Request {
	t.Helper()
	p, err := hunt.NewPredicate(s.Class.Column(path), hunt.Eq, false, v)
	if err != nil {
		t.Fatal(err)
	}
	r := everything(s, path)
	r.Where = p
	return r
}

// TestIndexEndsBetweenPages: an index that is deleted while a search reads it is a gap; what came and the other index are there.
func TestIndexEndsBetweenPages(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "pages-a", "pages-b")
		for _, name := range []string{"pages-a", "pages-b"} {
			do(t, "PUT", n.URL()+"/"+name, flowMapping("", ""))
		}
		flows(t, n, "pages-a", 0, 6000)
		flows(t, n, "pages-b", 6000, 6000)
		e := overOCSF(t, n.URL(), "pages-*")
		_, s := described(t, e)
		tr, err := e.Translate(everything(s, "dst_endpoint.port"))
		if err != nil {
			t.Fatal(err)
		}
		rows, deleted := map[string]bool{}, false
		var parts []hunt.PartFailed
		var end *hunt.End
		for f, err := range e.Search(t.Context(), tr) {
			if err != nil {
				t.Fatalf("the search failed: %v", err)
			}
			switch f := f.(type) {
			case *hunt.Batch:
				for i := range int(f.Record.NumRows()) {
					rows[uidAt(f, i)] = true
				}
				if !deleted {
					deleted = true
					do(t, "DELETE", n.URL()+"/pages-b", "")
				}
			case hunt.PartFailed:
				parts = append(parts, f)
			case hunt.End:
				end = &f
			}
		}
		if end == nil || len(rows) < 6000 || len(rows) < 12_000 && len(parts) == 0 {
			t.Fatalf("%d rows, gaps %+v, end %v", len(rows), parts, end)
		}
		for _, p := range parts {
			if !strings.Contains(p.Part, "pages-b") || p.Err.Code != hunt.SourceChanged || !p.Err.Retryable {
				t.Errorf("gap %+v: %v", p, p.Err)
			}
		}
		_, s = described(t, e)
		got := search(t, e, everything(s), 0)
		got.complete(t, hunt.TimeAsc)
		if len(got.uids) != 6000 {
			t.Errorf("%d rows afterwards", len(got.uids))
		}
	})
}

// TestAShardWithoutACopy: while an index is deleted, a node names it longer than it holds its shards; that is told as a deletion. A shard
// of an index that stays is told as one that no node holds.
func TestAShardWithoutACopy(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "copies")
		do(t, "PUT", n.URL()+"/copies", flowMapping("", ""))
		flows(t, n, "copies", 0, 10)
		p := newProxy(t, n)
		e := overOCSF(t, p.URL, "copies")
		_, s := described(t, e)
		for _, c := range []struct {
			named int64 // how often the node names the index
			code  hunt.Code
		}{{0, hunt.SourceChanged}, {3, hunt.SourceChanged}, {math.MaxInt64, hunt.SourceUnavailable}} {
			var asked atomic.Int64
			p.set(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodHead && asked.Add(1) > c.named {
					w.WriteHeader(http.StatusNotFound)
					return true
				}
				return false
			}, withoutCopy)
			search(t, e, everything(s), 0).gaps(t, c.code, "copies shard 0")
			p.set(nil, nil)
		}
	})
}

// withoutCopy makes answers of searches say that no node holds a shard.
func withoutCopy(r *http.Response) error {
	return rewrite(r, func(b []byte) []byte {
		return shards.ReplaceAll(b, []byte(`"_shards":{"total":2,"successful":1,"skipped":0,"failed":1,"failures":[
			{"shard":0,"index":"copies","reason":{"type":"no_shard_available_action_exception","reason":null}}]}`))
	})
}

// shards is what the answer of a healthy search says of its shards.
var shards = regexp.MustCompile(`"_shards":\{[^{}]*\}`)

// TestIndexMadeAnew: an index that was deleted and made anew with other types of fields is asked in the new way at the next hunt; a query
// that was made for the old one fails with its name.
func TestIndexMadeAnew(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "anew-a", "anew-b")
		more := func(kind string) string { return `,"src_endpoint":{"properties":{"hostname":` + kind + `}}` }
		for _, name := range []string{"anew-a", "anew-b"} {
			do(t, "PUT", n.URL()+"/"+name, flowMapping("", more(`{"type":"keyword"}`)))
			do(t, "PUT", n.URL()+"/"+name+"/_doc/1?refresh=true", fmt.Sprintf(`{"time":%d,"class_uid":4001,"src_endpoint":{"hostname":"Gate"}}`, flowStart))
		}
		e := overOCSF(t, n.URL(), "anew-*")
		_, s := described(t, e)
		r := equal(t, s, "src_endpoint.hostname", hunt.String("Gate"))
		old, err := e.Translate(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := run(t, e, old, 0); len(got.uids) != 2 {
			t.Fatalf("%d rows, want 2", len(got.uids))
		}
		// The same type, but no value is in the index.
		do(t, "DELETE", n.URL()+"/anew-b", "")
		do(t, "PUT", n.URL()+"/anew-b", flowMapping("", more(`{"type":"keyword","ignore_above":2}`)))
		do(t, "PUT", n.URL()+"/anew-b/_doc/1?refresh=true", fmt.Sprintf(`{"time":%d,"class_uid":4001,"src_endpoint":{"hostname":"Gate"}}`, flowStart))
		described(t, e)
		got := search(t, e, r, 0)
		got.complete(t, hunt.TimeAsc)
		if len(got.uids) != 2 {
			t.Errorf("%d rows after ignore_above changed, want 2", len(got.uids))
		}
		// Another type, for which the old query is an error.
		do(t, "DELETE", n.URL()+"/anew-b", "")
		do(t, "PUT", n.URL()+"/anew-b", flowMapping("", more(`{"type":"ip"}`)))
		do(t, "PUT", n.URL()+"/anew-b/_doc/1?refresh=true", fmt.Sprintf(`{"time":%d,"class_uid":4001,"src_endpoint":{"hostname":"10.0.0.1"}}`, flowStart))
		got = run(t, e, old, 0)
		if got.err != nil || len(got.parts) != 1 || !strings.HasPrefix(got.parts[0].Part, "anew-b") || len(got.uids) != 1 {
			t.Errorf("the old query: error %v, gaps %+v, %d rows; want one of each but no error", got.err, got.parts, len(got.uids))
		}
		_, s = described(t, e)
		got = search(t, e, equal(t, s, "src_endpoint.hostname", hunt.String("10.0.0.1")), 0)
		if got.complete(t, hunt.TimeAsc); len(got.uids) == 0 {
			t.Errorf("the connection did not heal")
		}
	})
}

// TestMixedTypes: a field of which two indices have different types is asked in each as fits it.
func TestMixedTypes(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "mixed-keyword", "mixed-ip", "mixed-text", "mixed-short")
		for name, kind := range map[string]string{"mixed-keyword": `{"type":"keyword"}`, "mixed-ip": `{"type":"ip"}`, "mixed-text": `{"type":"text"}`, "mixed-short": `{"type":"keyword","ignore_above":3}`} {
			do(t, "PUT", n.URL()+"/"+name, flowMapping("", `,"src_endpoint":{"properties":{"ip":`+kind+`}}`))
			for i, ip := range []string{"10.0.0.7", "10.0.1.7"} {
				do(t, "PUT", fmt.Sprintf("%s/%s/_doc/%d?refresh=true", n.URL(), name, i), fmt.Sprintf(`{"time":%d,"class_uid":4001,"src_endpoint":{"ip":%q}}`, flowStart+int64(i), ip))
			}
		}
		e := overOCSF(t, n.URL(), "mixed-*")
		_, s := described(t, e)
		r := equal(t, s, "src_endpoint.ip", hunt.IP(netip.MustParseAddr("10.0.0.7")))
		got := search(t, e, r, 0)
		got.complete(t, hunt.TimeAsc)
		if rows := matching(got, r.Where); rows != 4 {
			t.Errorf("%d rows, want one of each index", rows)
		}
	})
}

// TestClosedIndex: a closed index, named or in a pattern, is in the notes, and the others are read.
func TestClosedIndex(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "shut-a", "shut-b")
		for i, name := range []string{"shut-a", "shut-b"} {
			do(t, "PUT", n.URL()+"/"+name, flowMapping("", ""))
			flows(t, n, name, i*10, 10)
		}
		do(t, "POST", n.URL()+"/shut-b/_close", "")
		for _, indices := range [][]string{{"shut-*"}, {"shut-a", "shut-b"}} {
			e := overOCSF(t, n.URL(), indices...)
			d, s := described(t, e)
			if !strings.Contains(d.Unread, "shut-b") || !strings.Contains(d.Unread, "open them") {
				t.Errorf("%v: Unread is %q", indices, d.Unread)
			}
			got := search(t, e, everything(s), 0)
			if got.complete(t, hunt.TimeAsc); len(got.uids) != 10 {
				t.Errorf("%v: %d rows", indices, len(got.uids))
			}
		}
		e := overOCSF(t, n.URL(), "shut-b")
		d, err := e.Describe(t.Context())
		if err != nil || len(d.Streams) != 0 || !strings.Contains(d.Unread, "shut-b") {
			t.Errorf("only a closed index: %+v, %v", d, err)
		}
		do(t, "POST", n.URL()+"/shut-b/_open?wait_for_active_shards=1", "")
		e = overOCSF(t, n.URL(), "shut-*")
		if d, _ := described(t, e); d.Unread != "" {
			t.Errorf("after opening: %q", d.Unread)
		}
	})
}

// TestUnassignedShard: a shard that no node holds is a gap with the name of its index, and the other index is read.
func TestUnassignedShard(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "lost-a", "lost-b")
		do(t, "PUT", n.URL()+"/lost-a", flowMapping("", ""))
		flows(t, n, "lost-a", 0, 10)
		do(t, "PUT", n.URL()+"/lost-b?wait_for_active_shards=0", flowMapping(`,"index.routing.allocation.require.rack":"nowhere"`, ""))
		e := overOCSF(t, n.URL(), "lost-*")
		d, s := described(t, e)
		if !strings.Contains(strings.Join(d.Notes, "\n"), "not all shards") {
			t.Errorf("notes %q", d.Notes)
		}
		got := search(t, e, everything(s, "dst_endpoint.port"), 0)
		if len(got.uids) != 10 || len(got.parts) == 0 {
			t.Fatalf("%d rows, gaps %+v, error %v", len(got.uids), got.parts, got.err)
		}
		for _, p := range got.parts {
			if p.Err.Code != hunt.SourceUnavailable || !p.Err.Retryable || !strings.Contains(p.Part, "lost-b") {
				t.Errorf("gap %+v: %+v", p, p.Err)
			}
		}
		only := overOCSF(t, n.URL(), "lost-b")
		if d, err := only.Describe(t.Context()); err == nil && d.Unread == "" {
			t.Errorf("an index without any shard passes for empty: %+v", d)
		} else if err != nil && (hunt.AsError(err, "").Code != hunt.SourceUnavailable || !hunt.AsError(err, "").Retryable) {
			t.Errorf("an index without any shard: %v", err)
		}
		do(t, "PUT", n.URL()+"/lost-b/_settings", `{"index.routing.allocation.require.rack":null}`)
		do(t, "GET", n.URL()+"/_cluster/health/lost-b?wait_for_status=yellow&timeout=20s", "")
		flows(t, n, "lost-b", 10, 10)
		_, s = described(t, e)
		if got = search(t, e, everything(s), 0); len(got.uids) != 20 || len(got.parts) != 0 {
			t.Errorf("it did not heal: %d rows, gaps %+v", len(got.uids), got.parts)
		}
	})
}

// TestLargeDocument: a document with a field of 30 MB is found by hunts that do not ask for the field and by those that do.
func TestLargeDocument(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "large")
		do(t, "PUT", n.URL()+"/large", flowMapping("", `,"src_endpoint":{"properties":{"hostname":{"type":"keyword","index":false,"doc_values":false}}}`))
		flows(t, n, "large", 0, 2000)
		text := strings.Repeat("0123456789abcdef", 30<<20/16)
		do(t, "PUT", n.URL()+"/large/_doc/huge?refresh=true", fmt.Sprintf(`{"time":%d,"class_uid":4001,"src_endpoint":{"hostname":%q}}`, flowStart+500_000, text))
		e := overOCSF(t, n.URL(), "large")
		_, s := described(t, e)
		for _, columns := range [][]string{{"dst_endpoint.port"}, {"src_endpoint.hostname"}, {ocsf.ColRaw}} {
			began := time.Now()
			got := search(t, e, everything(s, columns...), 0)
			t.Logf("%v: %v", columns, time.Since(began))
			if got.complete(t, hunt.TimeAsc); len(got.uids) != 2001 {
				t.Errorf("%v: %d rows", columns, len(got.uids))
			}
			longest := 0
			for _, b := range got.batches {
				for i := range int(b.NumRows()) {
					longest = max(longest, len(textAt(b, columns[0], i)))
				}
			}
			if columns[0] != "dst_endpoint.port" && longest < len(text) {
				t.Errorf("%v: the longest text has %d bytes", columns, longest)
			}
		}
	})
}

// TestMappingExplosion: an index with 20,000 fields is described as fast as any other.
func TestMappingExplosion(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "wide")
		var b strings.Builder
		for i := range 20_000 {
			fmt.Fprintf(&b, `,"field_%d":{"type":"keyword"}`, i)
		}
		do(t, "PUT", n.URL()+"/wide", flowMapping(`,"index.mapping.total_fields.limit":30000`, b.String()))
		flows(t, n, "wide", 0, 10)
		e := overOCSF(t, n.URL(), "wide")
		var took []time.Duration
		for range 3 {
			began := time.Now()
			_, s := described(t, e)
			took = append(took, time.Since(began))
			if s.Rows != 10 || s.Provides("field_7") {
				t.Errorf("%+v", s)
			}
		}
		t.Log(took)
		if took[0] > 5*time.Second || slices.Min(took[1:]) > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestClock: a node whose clock is two hours off is described so, and ranges are those of the hunt.
func TestClock(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "clock")
		do(t, "PUT", n.URL()+"/clock", flowMapping("", ""))
		flows(t, n, "clock", 0, 10)
		for _, off := range []time.Duration{2 * time.Hour, -2 * time.Hour, 0} {
			p := newProxy(t, n)
			p.set(nil, func(r *http.Response) error {
				r.Header.Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
				return rewrite(r, func(body []byte) []byte {
					var stats map[string]map[string]map[string]any
					if json.Unmarshal(body, &stats) != nil || !strings.Contains(r.Request.URL.Path, "/stats") {
						return body
					}
					for _, node := range stats["nodes"] {
						if at, ok := node["timestamp"].(float64); ok {
							node["timestamp"] = int64(at) + off.Milliseconds()
						}
					}
					text, err := json.Marshal(stats)
					if err != nil {
						return body
					}
					return text
				})
			})
			e := overOCSF(t, p.URL, "clock")
			d, s := described(t, e)
			if miss := d.ClockSkew - off; miss < -3*time.Second || miss > 3*time.Second {
				t.Errorf("the clock is %v off, and %v is told", off, d.ClockSkew)
			}
			if got := search(t, e, everything(s), 0); len(got.uids) != 10 {
				t.Errorf("%d rows", len(got.uids))
			}
		}
	})
}

// rewrite changes the body of an answer.
func rewrite(r *http.Response, change func([]byte) []byte) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	body = change(body)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return nil
}

// TestTimeLimit: a search that the cluster stops at its own limit of time is a gap, not a complete answer.
func TestTimeLimit(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "slow")
		do(t, "PUT", n.URL()+"/slow", flowMapping("", ""))
		flows(t, n, "slow", 0, 10)
		p := newProxy(t, n)
		e := overOCSF(t, p.URL, "slow")
		_, s := described(t, e)
		for change, code := range map[string]hunt.Code{`"timed_out":true`: hunt.SourceTimeout, `"terminated_early":true,"timed_out":false`: hunt.SourceFailed} {
			p.set(nil, func(r *http.Response) error {
				return rewrite(r, func(b []byte) []byte { return bytes.Replace(b, []byte(`"timed_out":false`), []byte(change), 1) })
			})
			got := search(t, e, everything(s), 0)
			got.gaps(t, code, "slow")
			if len(got.uids) != 10 {
				t.Errorf("%d rows", len(got.uids))
			}
			p.set(nil, nil)
		}
		settings(t, n, "search.default_search_timeout", `"1ms"`)
		got := search(t, e, everything(s), 0)
		if got.err == nil && len(got.parts) == 0 && len(got.uids) != 10 {
			t.Errorf("%d rows pass for all", len(got.uids))
		}
	})
}

// TestFrugalCluster: a cluster that refuses expensive queries is not asked any, also if it begins to refuse them between two hunts.
func TestFrugalCluster(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		drop(t, n, "frugal")
		do(t, "PUT", n.URL()+"/frugal", flowMapping("", ""))
		flows(t, n, "frugal", 0, 100)
		e := overOCSF(t, n.URL(), "frugal")
		d, s := described(t, e)
		if strings.Contains(strings.Join(d.Notes, " "), "expensive") {
			t.Fatalf("notes %q", d.Notes)
		}
		p, err := hunt.NewPredicate(s.Class.Column("dst_endpoint.hostname"), hunt.Contains, false, hunt.String("ost-7"))
		if err != nil {
			t.Fatal(err)
		}
		r := everything(s, "dst_endpoint.hostname")
		r.Where = p
		asked := func(want hunt.Disposition) found {
			t.Helper()
			tr, err := e.Translate(r)
			if err != nil {
				t.Fatal(err)
			}
			if got := tr.Predicates[0].Disposition; got == hunt.Local != (want == hunt.Local) {
				t.Errorf("contains is %s", got)
			}
			return run(t, e, tr, 0)
		}
		if got := asked(hunt.Exact); matching(got, p) != 10 {
			t.Fatalf("%d rows", matching(got, p))
		}
		settings(t, n, "search.allow_expensive_queries", "false")
		got := asked(hunt.Exact) // it does not know yet
		if got.err == nil || got.err.Code != hunt.SourceChanged || !got.err.Retryable {
			t.Errorf("the first hunt: %v, %+v", got.err, got.parts)
		}
		if d, _ := described(t, e); !strings.Contains(strings.Join(d.Notes, " "), "allow_expensive_queries") {
			t.Errorf("notes %q", d.Notes)
		}
		got = asked(hunt.Local)
		if got.complete(t, hunt.TimeAsc); matching(got, p) != 10 {
			t.Errorf("%d rows", matching(got, p))
		}
		own := open(t, elastic.Config{URLs: []string{n.URL()}, Prefix: "frugal-own"}, elastic.Options{})
		class := ocsf.ByUID(ocsf.ProcessActivity)
		stream := &hunt.Stream{Name: "s", Class: class, Attributes: hunttest.AllAttributes(class)}
		frugalHunts(t, own, stream)
	})
}

// TestContextsFull: a cluster that holds as many points in time as it may is said to be busy; nothing is left out.
func TestContextsFull(t *testing.T) {
	n := sharedNode(t, node.OpenSearch)
	drop(t, n, "full")
	do(t, "PUT", n.URL()+"/full", flowMapping("", ""))
	flows(t, n, "full", 0, 9000)
	settings(t, n, "search.max_open_pit_context", "0")
	e := overOCSF(t, n.URL(), "full")
	_, s := described(t, e)
	got := search(t, e, everything(s), 0)
	if got.err == nil || got.err.Code != hunt.SourceThrottled || !got.err.Retryable || got.end != nil {
		t.Errorf("error %v, gaps %+v, %d rows", got.err, got.parts, len(got.uids))
	}
}

// TestStranger: what answers and is no cluster is said to be none, whatever it answers.
func TestStranger(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		p := newProxy(t, n)
		for _, c := range []struct {
			status int
			body   string
		}{{200, "<html>welcome</html>"}, {200, `{"version":{"number":"8.19.0"}}`}, {200, `[]`}, {404, "not found"}, {405, ""}, {302, ""}, {204, ""}} {
			p.set(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Location", "/login")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
				return true
			}, nil)
			e := open(t, elastic.Config{URLs: []string{p.URL}}, elastic.Options{})
			_, err := e.Describe(t.Context())
			if got := hunt.AsError(err, ""); got.Code != hunt.SourceUnavailable || got.Retryable || !strings.Contains(got.Message, "check the URL") {
				t.Errorf("%d %s: %v", c.status, c.body, err)
			}
			p.set(nil, nil)
			if _, err := e.Describe(t.Context()); err != nil {
				t.Errorf("it did not heal: %v", err)
			}
		}
	})
}

// TestNothingRunsOn: after searches that were cancelled or left, no search runs in the node and no context is open.
func TestNothingRunsOn(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		before := contexts(t, n)
		drop(t, n, "left")
		do(t, "PUT", n.URL()+"/left", flowMapping("", ""))
		flows(t, n, "left", 0, 12_000)
		p := newProxy(t, n)
		e := overOCSF(t, p.URL, "left")
		_, s := described(t, e)
		tr, err := e.Translate(everything(s, "dst_endpoint.port"))
		if err != nil {
			t.Fatal(err)
		}
		for _, after := range []int{0, 1, 3, 7} {
			leave(t, e, tr, after)
		}
		// At whatever request: the search is cancelled when the node has it.
		for at := int64(1); at < 12; at++ {
			cancelledAt(t, p, e, tr, at)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		idle(t, n, before)
	})
}

// leave ends a search after some frames.
func leave(t *testing.T, e *elastic.Elastic, tr *hunt.Translation, after int) {
	t.Helper()
	frames := 0
	for _, err := range e.Search(t.Context(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		if frames++; frames > after {
			break
		}
	}
}

// cancelledAt cancels a search at its at-th request.
func cancelledAt(t *testing.T, p *proxy, e *elastic.Elastic, tr *hunt.Translation, at int64) {
	t.Helper()
	ctx, cancel := contextWithCancel(t)
	defer cancel()
	var n atomic.Int64
	p.set(func(http.ResponseWriter, *http.Request) bool {
		if n.Add(1) == at {
			cancel()
		}
		return false
	}, nil)
	defer p.set(nil, nil)
	for _, err := range e.Search(ctx, tr) {
		if err != nil && hunt.AsError(err, "").Code != hunt.Cancelled {
			t.Errorf("cancelled at request %d: %v", at, err)
		}
	}
}

// idle waits until a node runs no search and holds no context.
func idle(t *testing.T, n *node.Node, before int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		tasks := 0
		for _, one := range do(t, "GET", n.URL()+"/_tasks?actions=*search*,*point_in_time*,*esql*", "")["nodes"].(map[string]any) {
			tasks += len(one.(map[string]any)["tasks"].(map[string]any))
		}
		open := contexts(t, n)
		if tasks == 0 && open <= before {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%d searches run on and %d contexts are open, %d were before", tasks, open, before)
			return
		}
	}
}
