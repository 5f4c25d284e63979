package elastic_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

// TestWriteOnce: an input is ingested once, an event is written once, and all of them are counted.
func TestWriteOnce(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		s := connections()
		e := open(t, elastic.Config{URLs: []string{n.URL()}, Prefix: "write"}, elastic.Options{})
		at := func(i int) int64 { return 1_767_000_000_000_000 + int64(i) }
		write := func(digest string, rows int, counts hunt.Counts) (written, duplicates int64) {
			t.Helper()
			w, err := e.Begin(t.Context(), hunt.Input{Name: digest, Digest: digest})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Abort()
			if err := w.Append(s, events(s, rows, at)); err != nil {
				t.Fatal(err)
			}
			if err := w.Commit(counts); err != nil {
				t.Fatal(err)
			}
			return w.Written()
		}
		if rows, dups := write("one", 1000, hunt.Counts{Records: 1000}); rows != 1000 || dups != 0 {
			t.Errorf("%d rows and %d duplicates, want 1000 and 0", rows, dups)
		}
		if rows, dups := write("two", 1500, hunt.Counts{Records: 1503, Rejected: 3}); rows != 500 || dups != 1000 {
			t.Errorf("%d rows and %d duplicates, want 500 and 1000", rows, dups)
		}
		if _, err := e.Begin(t.Context(), hunt.Input{Name: "one", Digest: "one"}); !errors.Is(err, hunt.ErrIngested) {
			t.Errorf("a second ingest of an input: %v", err)
		}
		for digest, want := range map[string]bool{"one": true, "two": true, "three": false} {
			if has, err := e.Has(t.Context(), digest); err != nil || has != want {
				t.Errorf("Has(%s) is %v, %v", digest, has, err)
			}
		}
		d, err := e.Describe(t.Context())
		if err != nil || len(d.Streams) != 1 || d.Streams[0].Rows != 1500 || d.Streams[0].Time != nil || !strings.Contains(d.Unread, "3 records") {
			t.Fatalf("%+v, %v", d, err)
		}
		got := search(t, e, everything(s, "dst_endpoint.port"), 0)
		if got.end == nil || len(got.uids) != 1500 || len(got.rejected) != 1 || got.rejected[0].Count != 3 {
			t.Errorf("%d rows, rejected %+v, error %v", len(got.uids), got.rejected, got.err)
		}
		unfinished(t, e, s)
	})
}

// unfinished: an input whose writer broke off makes every answer incomplete until it is ingested again; one that has written nothing
// leaves no trace.
func unfinished(t *testing.T, e *elastic.Elastic, s *hunt.Stream) {
	t.Helper()
	w, err := e.Begin(t.Context(), hunt.Input{Name: "empty", Digest: "empty"})
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if d, err := e.Describe(t.Context()); err != nil || strings.Contains(d.Unread, "empty") {
		t.Errorf("an input that nothing was written of is still there: %+v, %v", d, err)
	}
	w, err = e.Begin(t.Context(), hunt.Input{Name: "broken", Digest: "broken"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(s, events(s, 10, func(int) int64 { return 1 })); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if has, err := e.Has(t.Context(), "broken"); err != nil || has {
		t.Errorf("an input that broke off counts as ingested: %v, %v", has, err)
	}
	d, err := e.Describe(t.Context())
	if err != nil || !strings.Contains(d.Unread, "broken") {
		t.Errorf("%+v, %v", d, err)
	}
	got := search(t, e, everything(s, "dst_endpoint.port"), 0)
	if got.end == nil || len(got.parts) != 1 || got.parts[0].Part != "broken" {
		t.Errorf("gaps %+v, error %v", got.parts, got.err)
	}
	if err := ingest(t.Context(), e, "broken", hunttest.Data{Stream: s, Record: events(s, 10, func(int) int64 { return 1 })}); err != nil && !errors.Is(err, hunt.ErrIngested) {
		t.Errorf("ingesting it again: %v", err)
	}
}

// TestBulkBusy: events that the cluster has no room for are written later, and what it refuses is an error.
func TestBulkBusy(t *testing.T) {
	n := sharedNode(t, node.Elasticsearch)
	p := newProxy(t, n)
	s := connections()
	e := open(t, elastic.Config{URLs: []string{p.URL}, Prefix: "busy"}, elastic.Options{})
	var times atomic.Int32
	p.set(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/_bulk") || strings.Contains(r.URL.Path, "inputs") {
			return false
		}
		switch times.Add(1) {
		case 1: // the request
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		case 2: // each of its events
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			items := strings.TrimSuffix(strings.Repeat(`{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"busy"}}},`, bytes.Count(body, []byte("\n"))/2), ",")
			io.WriteString(w, `{"errors":true,"items":[`+items+`]}`)
			return true
		}
		return false
	}, nil)
	w, err := e.Begin(t.Context(), hunt.Input{Name: "a", Digest: "a"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Append(s, events(s, 300, func(i int) int64 { return int64(i) })); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(hunt.Counts{Records: 300}); err != nil {
		t.Fatal(err)
	}
	if rows, dups := w.Written(); rows != 300 || dups != 0 || times.Load() < 3 {
		t.Errorf("%d rows and %d duplicates after %d requests", rows, dups, times.Load())
	}
	brokenBulk(t, p, s, e)
	p.set(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/_bulk") && !strings.Contains(r.URL.Path, "inputs") {
			io.WriteString(w, `{"errors":false,"items":[]}`)
			return true
		}
		return false
	}, nil)
	if err := ingest(t.Context(), e, "b", hunttest.Data{Stream: s, Record: events(s, 5, func(i int) int64 { return int64(i) })}); hunt.AsError(err, "").Code != hunt.SourceDamaged {
		t.Errorf("an answer for fewer events than were sent: %v", err)
	}
}

// brokenBulk: a connection breaks after the cluster has taken a request. Its events are sent again, and are counted as what they are:
// written, or there before.
func brokenBulk(t *testing.T, p *proxy, s *hunt.Stream, e *elastic.Elastic) {
	t.Helper()
	var broken atomic.Int32
	p.set(nil, func(r *http.Response) error {
		if strings.HasSuffix(r.Request.URL.Path, "/_bulk") && !strings.Contains(r.Request.URL.Path, "inputs") && broken.Add(1) == 1 {
			return errors.New("the connection breaks") // the proxy answers 502
		}
		return nil
	})
	defer p.set(nil, nil)
	w, err := e.Begin(t.Context(), hunt.Input{Name: "broken", Digest: "broken"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	// 300 events are there, 200 come, and 50 of these are given twice.
	rec := events(s, 500, func(i int) int64 { return int64(i) })
	for _, r := range []arrow.RecordBatch{rec, rec.NewSlice(450, 500)} {
		if err := w.Append(s, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(hunt.Counts{Records: 550}); err != nil {
		t.Fatal(err)
	}
	if rows, dups := w.Written(); rows != 200 || dups != 350 || broken.Load() < 2 {
		t.Errorf("%d rows and %d duplicates after %d requests, want 200 and 350", rows, dups, broken.Load())
	}
}

// TestCommitTogether: the inputs of one commit are done together, and one that somebody else has begun stays marked if nothing comes of
// it.
func TestCommitTogether(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		s := connections()
		e := open(t, elastic.Config{URLs: []string{n.URL()}, Prefix: "together"}, elastic.Options{})
		inputs := []hunt.Input{{Name: "one", Digest: "1"}, {Name: "two", Digest: "2"}, {Name: "three", Digest: "3"}}
		first, err := e.Begin(t.Context(), inputs[1])
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Append(s, events(s, 10, func(i int) int64 { return int64(i) })); err != nil {
			t.Fatal(err)
		}
		first.Abort() // some of its events may be there
		second, err := e.Begin(t.Context(), inputs...)
		if err != nil {
			t.Fatal(err)
		}
		second.Abort()
		d, err := e.Describe(t.Context())
		if err != nil || !strings.Contains(d.Unread, "two") || strings.Contains(d.Unread, "three") {
			t.Errorf("only one input has events: %+v, %v", d, err)
		}
		third, err := e.Begin(t.Context(), inputs...)
		if err != nil {
			t.Fatal(err)
		}
		defer third.Abort()
		if err := third.Append(s, events(s, 20, func(i int) int64 { return int64(i) })); err != nil {
			t.Fatal(err)
		}
		if err := third.Commit(hunt.Counts{Records: 10}, hunt.Counts{Records: 10}, hunt.Counts{Records: 1, Rejected: 1}); err != nil {
			t.Fatal(err)
		}
		for _, in := range inputs {
			if has, err := e.Has(t.Context(), in.Digest); err != nil || !has {
				t.Errorf("%s is not done: %v", in.Name, err)
			}
		}
		if d, err := e.Describe(t.Context()); err != nil || d.Streams[0].Rows != 20 || !strings.Contains(d.Unread, "1 records could not") {
			t.Errorf("%+v, %v", d, err)
		}
	})
}
