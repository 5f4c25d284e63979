package elastic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/elastic/go-elasticsearch/v8/esutil"
	"github.com/valyala/fastjson"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// The benchmarks take turns with the plain client of the cluster, which does the same in the fastest way that we know, so that what else
// the machine does falls on both. They report the medians of both sides in events/s, and the ratio of their times: above 1 we are slower.

const benchRows = 100_000

// turns runs two sides in turn and reports what they do.
func turns(b *testing.B, rows int, ours, plain func()) {
	b.Helper()
	var times [2][]time.Duration
	ours() // both warm
	plain()
	for b.Loop() {
		for i, side := range []func(){ours, plain} {
			began := time.Now()
			side()
			times[i] = append(times[i], time.Since(began))
		}
	}
	var medians [2]float64
	for i := range times {
		slices.Sort(times[i])
		medians[i] = times[i][len(times[i])/2].Seconds()
	}
	b.ReportMetric(float64(rows)/medians[0], "events/s")
	b.ReportMetric(float64(rows)/medians[1], "plain-events/s")
	b.ReportMetric(medians[0]/medians[1], "ratio")
	b.ReportMetric(0, "ns/op") // of both together
}

// BenchmarkRead reads 100,000 events of six shards, in order and as columns. The plain client reads slices of one point in time in the
// order in which the cluster has them, several at a time, and takes the same values out of the JSON; it does not sort.
func BenchmarkRead(b *testing.B) {
	n := sharedNode(b, node.Elasticsearch)
	e := open(b, elastic.Config{URLs: []string{n.URL()}, Prefix: "bench", Shards: 6}, elastic.Options{})
	s := connections()
	has, err := e.Has(b.Context(), "bench")
	if err == nil && !has {
		rec := events(s, benchRows, func(i int) int64 { return 1_767_000_000_000_000 + int64(i)*1_000_003 })
		err = ingest(b.Context(), e, "bench", hunttest.Data{Stream: s, Record: rec})
	}
	if err == nil {
		_, err = e.Describe(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	values := everything(s, "src_endpoint.ip", "dst_endpoint.port", "metadata.uid")
	documents := everything(s, "src_endpoint.ip", "dst_endpoint.port", "metadata.uid", ocsf.ColRaw)
	filtered := values
	if filtered.Where, err = hunt.NewPredicate(s.Class.Column("dst_endpoint.port"), hunt.Eq, false, hunt.Int(3)); err != nil {
		b.Fatal(err)
	}
	paths := [][]string{{"time"}, {"src_endpoint", "ip"}, {"dst_endpoint", "port"}, {"metadata", "uid"}}
	const columns = `"_source":false,"stored_fields":"_none_","docvalue_fields":["uid","time","src_endpoint.ip","dst_endpoint.port","metadata.uid"]`
	c := plainClient(b, n)
	for _, one := range []struct {
		name    string
		request hunt.Request
		rows    int
		plain   plainRead
	}{
		{"values", values, benchRows, plainRead{fields: columns, query: `{"match_all":{}}`,
			paths: [][]string{{"uid"}, {"time"}, {"src_endpoint.ip"}, {"dst_endpoint.port"}, {"metadata.uid"}}}},
		{"documents", documents, benchRows, plainRead{fields: `"_source":["time","src_endpoint.ip","dst_endpoint.port","metadata.uid","raw"]`,
			query: `{"match_all":{}}`, paths: append(paths, []string{"raw"})}},
		{"filtered", filtered, benchRows / 7, plainRead{fields: columns, query: `{"term":{"dst_endpoint.port":3}}`,
			paths: [][]string{{"uid"}, {"time"}, {"src_endpoint.ip"}, {"dst_endpoint.port"}, {"metadata.uid"}}}},
	} {
		b.Run(one.name, func(b *testing.B) {
			ours := func() {
				got, rows := search(b, e, one.request, 0), 0
				for _, rec := range got.batches {
					rows += int(rec.NumRows())
				}
				if got.err != nil || rows < one.rows {
					b.Fatal(rows, got.err)
				}
			}
			turns(b, one.rows, ours, func() {
				if rows := one.plain.run(b, c); rows < one.rows {
					b.Fatal(rows)
				}
			})
		})
	}
}

func plainClient(b *testing.B, n *node.Node) esapi.Transport {
	b.Helper()
	u, err := url.Parse(n.URL())
	if err != nil {
		b.Fatal(err)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.MaxIdleConnsPerHost = 8
	b.Cleanup(t.CloseIdleConnections)
	c, err := elastictransport.NewClient(elastictransport.WithURLs(u), elastictransport.WithTransport(t))
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// plainRead is what the plain client reads.
type plainRead struct {
	fields, query string
	paths         [][]string
}

func (r plainRead) run(b *testing.B, c esapi.Transport) int {
	var pit struct{ ID string }
	plainDo(b, c, esapi.OpenPointInTimeRequest{Index: []string{"bench-*-events-*"}, KeepAlive: "1m"}, &pit)
	defer plainDo(b, c, esapi.ClosePointInTimeRequest{Body: strings.NewReader(`{"id":"` + pit.ID + `"}`)}, nil)
	var all sync.WaitGroup
	total := make([]int, 6)
	for slice := range total {
		all.Go(func() { total[slice] = r.slice(b, c, pit.ID, slice, len(total)) })
	}
	all.Wait()
	sum := 0
	for _, n := range total {
		sum += n
	}
	return sum
}

// slice reads a slice page by page.
func (r plainRead) slice(b *testing.B, c esapi.Transport, pit string, slice, slices int) int {
	const size = 10_000
	after, total := "", 0
	var parser fastjson.Parser
	var buf bytes.Buffer
	values := make([][]string, len(r.paths))
	for {
		body := fmt.Sprintf(`{"size":%d,"track_total_hits":false,"sort":["_shard_doc"],"slice":{"id":%d,"max":%d},"pit":{"id":%q,"keep_alive":"1m"},"query":%s,%s%s}`,
			size, slice, slices, pit, r.query, r.fields, after)
		res, err := esapi.SearchRequest{Body: strings.NewReader(body)}.Do(context.Background(), c)
		if err != nil {
			b.Error(err)
			return 0
		}
		buf.Reset()
		_, err = buf.ReadFrom(res.Body)
		res.Body.Close()
		v, parseErr := parser.ParseBytes(buf.Bytes())
		if err != nil || parseErr != nil || res.IsError() {
			b.Error(err, parseErr, res.StatusCode)
			return 0
		}
		hits := v.GetArray("hits", "hits")
		for _, h := range hits {
			doc := h.Get("_source")
			if doc == nil {
				doc = h.Get("fields")
			}
			for i, path := range r.paths {
				value := doc.Get(path...)
				if list := value.GetArray(); len(list) > 0 {
					value = list[0]
				}
				if value.Type() == fastjson.TypeString {
					values[i] = append(values[i], string(value.GetStringBytes()))
				} else {
					values[i] = append(values[i], value.String())
				}
			}
		}
		total += len(hits)
		if len(hits) < size {
			return total
		}
		after = `,"search_after":` + hits[len(hits)-1].Get("sort").String()
	}
}

func plainDo(b *testing.B, c esapi.Transport, r esapi.Request, into any) {
	b.Helper()
	res, err := r.Do(context.Background(), c)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.IsError() {
		b.Fatal(err, string(text))
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrite writes 50,000 events into a new index. The plain client's BulkIndexer has the documents ready; its index has the same
// settings and mapping. Both end with a refresh.
func BenchmarkWrite(b *testing.B) {
	const rows = 50_000
	n := sharedNode(b, node.Elasticsearch)
	s := connections()
	rec := events(s, rows, func(i int) int64 { return 1_767_000_000_000_000 + int64(i)*1_000_003 })
	e := open(b, elastic.Config{URLs: []string{n.URL()}, Prefix: "benchwrite"}, elastic.Options{})
	round := 0
	ours := func() {
		round++
		if err := ingest(b.Context(), e, fmt.Sprint("round", round), hunttest.Data{Stream: s, Record: rec}); err != nil {
			b.Fatal(err)
		}
	}
	ours()
	c := plainClient(b, n)
	names := map[string]json.RawMessage{}
	plainDo(b, c, esapi.IndicesGetRequest{Index: []string{"benchwrite-*-events-*"}, FilterPath: []string{"*.mappings"}}, &names)
	index, body := "", []byte(nil)
	for name, mapping := range names {
		index = name
		var m struct{ Mappings json.RawMessage }
		if err := json.Unmarshal(mapping, &m); err != nil {
			b.Fatal(err)
		}
		var settings map[string]struct {
			Settings map[string]map[string]json.RawMessage
		}
		plainDo(b, c, esapi.IndicesGetSettingsRequest{Index: []string{name}}, &settings)
		own := settings[name].Settings["index"]
		for _, made := range []string{"creation_date", "uuid", "version", "provided_name", "routing"} {
			delete(own, made)
		}
		body, _ = json.Marshal(map[string]any{"settings": map[string]any{"index": own}, "mappings": m.Mappings})
	}
	docs := plainDocuments(b, c, index)
	if len(docs) != rows {
		b.Fatal(len(docs))
	}
	fresh := func(name string) { // not measured with either side
		plainDo(b, c, esapi.IndicesDeleteRequest{Index: []string{name}, IgnoreUnavailable: new(true)}, nil)
		plainDo(b, c, esapi.IndicesCreateRequest{Index: name, Body: bytes.NewReader(body)}, nil)
	}
	turns(b, rows, func() {
		fresh(index)
		ours()
	}, func() {
		fresh("plainwrite")
		bulk, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{Client: c, Index: "plainwrite"})
		if err != nil {
			b.Fatal(err)
		}
		for id, doc := range docs {
			if err := bulk.Add(b.Context(), esutil.BulkIndexerItem{Action: "create", DocumentID: id, Body: bytes.NewReader(doc)}); err != nil {
				b.Fatal(err)
			}
		}
		if err := bulk.Close(b.Context()); err != nil || bulk.Stats().NumCreated != rows {
			b.Fatal(err, bulk.Stats())
		}
		plainDo(b, c, esapi.IndicesRefreshRequest{Index: []string{"plainwrite"}}, nil)
	})
}

// plainDocuments reads the documents of an index.
func plainDocuments(b *testing.B, c esapi.Transport, index string) map[string][]byte {
	out := map[string][]byte{}
	var pit struct{ ID string }
	plainDo(b, c, esapi.OpenPointInTimeRequest{Index: []string{index}, KeepAlive: "1m"}, &pit)
	defer plainDo(b, c, esapi.ClosePointInTimeRequest{Body: strings.NewReader(`{"id":"` + pit.ID + `"}`)}, nil)
	for after := ""; ; {
		var page struct {
			Hits struct {
				Hits []struct {
					ID     string          `json:"_id"`
					Source json.RawMessage `json:"_source"`
					Sort   json.RawMessage `json:"sort"`
				}
			}
		}
		body := fmt.Sprintf(`{"size":10000,"sort":["_shard_doc"],"pit":{"id":%q,"keep_alive":"1m"}%s}`, pit.ID, after)
		plainDo(b, c, esapi.SearchRequest{Body: strings.NewReader(body)}, &page)
		hits := page.Hits.Hits
		for _, h := range hits {
			out[h.ID] = h.Source
		}
		if len(hits) == 0 {
			return out
		}
		after = `,"search_after":` + string(hits[len(hits)-1].Sort)
	}
}
