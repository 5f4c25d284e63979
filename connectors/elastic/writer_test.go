package elastic_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

// TestWriteOnce: an input is ingested once, an event is written once, and all of them are counted.
func TestWriteOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node.Node) {
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
		if !strings.HasSuffix(r.URL.Path, "/_bulk") {
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
	p.set(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/_bulk") {
			io.WriteString(w, `{"errors":false,"items":[]}`)
			return true
		}
		return false
	}, nil)
	if err := ingest(t.Context(), e, "b", hunttest.Data{Stream: s, Record: events(s, 5, func(i int) int64 { return int64(i) })}); hunt.AsError(err, "").Code != hunt.SourceDamaged {
		t.Errorf("an answer for fewer events than were sent: %v", err)
	}
}
