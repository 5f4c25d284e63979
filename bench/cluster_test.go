package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/elastic/go-elasticsearch/v8/esutil"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/connectors/elastic/node/nodetest"
)

// startNode starts a node for the time of the benchmark; why is the reason if that cannot be done here.
func startNode(b *testing.B, product node.Product, heapMB int) (address string, why error) {
	b.Helper()
	if why = node.Available(product); why != nil {
		return "", why
	}
	n, err := node.Start(b.Context(), node.Options{Product: product, HeapMB: heapMB})
	if errors.Is(err, node.ErrNoJars) || errors.Is(err, node.ErrNoJava) {
		return "", err
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := n.Stop(); err != nil {
			b.Error(err)
		}
	})
	return n.URL(), nil
}

func openElastic(b *testing.B, cfg elastic.Config) *elastic.Elastic {
	b.Helper()
	e, err := elastic.Open(b.Context(), identity(), cfg, elastic.Options{})
	if err != nil {
		b.Fatal(err)
	}
	closeAtEnd(b, e)
	return e
}

// cluster talks to a node with the plain client, as somebody would who writes the work by hand: uncompressed, since it is on this
// machine, and with connections that are kept.
type cluster struct{ esapi.Transport }

func connectCluster(b *testing.B, address string) cluster {
	b.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.Fatal(err)
	}
	t := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32, ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10}
	b.Cleanup(t.CloseIdleConnections)
	c, err := elastictransport.NewClient(elastictransport.WithURLs(u), elastictransport.WithTransport(t))
	if err != nil {
		b.Fatal(err)
	}
	return cluster{c}
}

// do sends a request and reads the answer into buf.
func (c cluster) do(ctx context.Context, r esapi.Request, buf *bytes.Buffer) error {
	buf.Reset()
	res, err := r.Do(ctx, c)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if n := res.Header.Get("Content-Length"); n != "" {
		var size int
		if _, err := fmt.Sscan(n, &size); err == nil {
			buf.Grow(size + bytes.MinRead)
		}
	}
	if _, err := buf.ReadFrom(res.Body); err != nil {
		return err
	}
	if res.IsError() {
		return fmt.Errorf("HTTP %d: %.400s", res.StatusCode, buf.Bytes())
	}
	return nil
}

// get sends a request and decodes the answer, unless into is nil.
func (c cluster) get(ctx context.Context, r esapi.Request, into any) error {
	var buf bytes.Buffer
	if err := c.do(ctx, r, &buf); err != nil || into == nil {
		return err
	}
	return json.Unmarshal(buf.Bytes(), into)
}

// indices lists the indices of a pattern.
func (c cluster) indices(ctx context.Context, pattern string) ([]string, error) {
	var list []struct {
		Index string `json:"index"`
	}
	err := c.get(ctx, esapi.CatIndicesRequest{Index: []string{pattern}, Format: "json", H: []string{"index"}}, &list)
	var out []string
	for _, l := range list {
		out = append(out, l.Index)
	}
	return out, err
}

// remove deletes the indices of a pattern. Clusters want their names.
func (c cluster) remove(ctx context.Context, pattern string) error {
	names, err := c.indices(ctx, pattern)
	if err != nil || len(names) == 0 {
		return err
	}
	return c.get(ctx, esapi.IndicesDeleteRequest{Index: names}, nil)
}

// count refreshes indices and counts their documents.
func (c cluster) count(ctx context.Context, index string) (int, error) {
	var out struct{ Count int }
	if err := c.get(ctx, esapi.IndicesRefreshRequest{Index: []string{index}}, nil); err != nil {
		return 0, err
	}
	err := c.get(ctx, esapi.CountRequest{Index: []string{index}}, &out)
	return out.Count, err
}

// BenchmarkIngestCluster writes 100,000 mapped events through the connector, and the same documents into an index of the same settings
// with the bulk indexer of the plain client.
func BenchmarkIngestCluster(b *testing.B) {
	for _, product := range []node.Product{node.Elasticsearch, node.OpenSearch} {
		b.Run(string(product), func(b *testing.B) {
			events := sample(b)
			n := nodetest.Start(b, node.Options{Product: product, HeapMB: 1024, Log: io.Discard})
			c := connectCluster(b, n.URL())
			m, err := c.model(b, n.URL(), events)
			if err != nil {
				b.Fatal(err)
			}
			inTurn(b, sampleRows, []*turn{
				{name: "Harrier", against: "BulkIndexer", target: "<= 1.1", run: c.connectorWrites(n.URL(), events)},
				{name: "BulkIndexer", run: c.indexerWrites(m)},
			}, fmt.Sprintf("%.0f MB of JSON of %s; both make the index, send requests of 5 MiB from 3 workers and refresh at the end.", float64(m.bytes)/1e6, events.from))
			runtime.KeepAlive(m)
		})
	}
}

// model is what the bulk indexer writes: the documents that the connector wrote, and the index that it made.
type model struct {
	index []byte // body of the request that makes one
	ids   []string
	docs  [][]byte
	bytes int
}

// model has the connector write the events once and reads the documents back as they were sent.
func (c cluster) model(b *testing.B, address string, events *eventSet) (*model, error) {
	ctx := b.Context()
	e := openElastic(b, elastic.Config{URLs: []string{address}, Prefix: "model"})
	if err := events.write(ctx, e); err != nil {
		return nil, err
	}
	names, err := c.indices(ctx, "model-*-events-*")
	if err != nil || len(names) != 1 {
		return nil, fmt.Errorf("%d indices, wanted one: %w", len(names), err)
	}
	m := &model{}
	if m.index, err = c.definition(ctx, names[0]); err != nil {
		return nil, err
	}
	if err := m.read(ctx, c, names[0]); err != nil {
		return nil, err
	}
	if len(m.docs) != sampleRows {
		return nil, fmt.Errorf("%d documents, wanted %d", len(m.docs), sampleRows)
	}
	return m, c.remove(ctx, "model-*")
}

// definition is the body that makes an index like another.
func (c cluster) definition(ctx context.Context, index string) ([]byte, error) {
	var out map[string]struct {
		Settings struct {
			Index map[string]any `json:"index"`
		} `json:"settings"`
		Mappings json.RawMessage `json:"mappings"`
	}
	if err := c.get(ctx, esapi.IndicesGetRequest{Index: []string{index}}, &out); err != nil {
		return nil, err
	}
	settings := out[index].Settings.Index
	for _, own := range []string{"uuid", "creation_date", "provided_name", "version", "routing", "replication"} {
		delete(settings, own)
	}
	return json.Marshal(map[string]any{"settings": map[string]any{"index": settings}, "mappings": out[index].Mappings})
}

// read takes all documents of an index.
func (m *model) read(ctx context.Context, c cluster, index string) error {
	type page struct {
		Scroll string `json:"_scroll_id"`
		Hits   struct {
			Hits []struct {
				ID     string          `json:"_id"`
				Source json.RawMessage `json:"_source"`
			}
		}
	}
	var p page
	err := c.get(ctx, esapi.SearchRequest{Index: []string{index}, Scroll: time.Minute, Body: strings.NewReader(`{"size":2000,"sort":["_doc"]}`)}, &p)
	for err == nil && len(p.Hits.Hits) > 0 {
		for _, h := range p.Hits.Hits {
			m.ids, m.docs, m.bytes = append(m.ids, h.ID), append(m.docs, bytes.Clone(h.Source)), m.bytes+len(h.Source)
		}
		scroll := p.Scroll
		p = page{}
		err = c.get(ctx, esapi.ScrollRequest{Scroll: time.Minute, ScrollID: scroll}, &p)
	}
	return errors.Join(err, c.get(ctx, esapi.ClearScrollRequest{ScrollID: []string{p.Scroll}}, nil))
}

// connectorWrites ingests the events into indices of their own, and removes them when the clock has stopped.
func (c cluster) connectorWrites(address string, events *eventSet) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		e, err := elastic.Open(ctx, identity(), elastic.Config{URLs: []string{address}, Prefix: "round"}, elastic.Options{})
		if err != nil {
			return 0, err
		}
		took, err := timed(func() error { return events.write(ctx, e) })
		return took, errors.Join(err, e.Close(), c.empty(ctx, "round-*-events-*", "round-*"))
	}
}

// empty checks that all documents are there, and removes the indices.
func (c cluster) empty(ctx context.Context, counted, removed string) error {
	n, err := c.count(ctx, counted)
	if err == nil && n != sampleRows {
		err = fmt.Errorf("%d documents are in the cluster, wanted %d", n, sampleRows)
	}
	return errors.Join(err, c.remove(ctx, removed))
}

func (c cluster) indexerWrites(m *model) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		took, err := timed(func() error { return c.bulk(ctx, m, "plain") })
		return took, errors.Join(err, c.empty(ctx, "plain", "plain*"))
	}
}

// bulk writes the documents with the client's own indexer, in requests of the size and number that the connector has.
func (c cluster) bulk(ctx context.Context, m *model, index string) error {
	if err := c.get(ctx, esapi.IndicesCreateRequest{Index: index, Body: bytes.NewReader(m.index), WaitForActiveShards: "1"}, nil); err != nil {
		return err
	}
	var failed atomic.Int64
	indexer, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{Client: c, Index: index, NumWorkers: 3, FlushBytes: 5 << 20,
		FilterPath: []string{"errors", "items.*.status", "items.*.error.type", "items.*.error.reason"},
		OnError:    func(context.Context, error) { failed.Add(1) }})
	if err != nil {
		return err
	}
	for i, doc := range m.docs {
		if err := indexer.Add(ctx, esutil.BulkIndexerItem{Action: "create", DocumentID: m.ids[i], Body: bytes.NewReader(doc)}); err != nil {
			return err
		}
	}
	if err := indexer.Close(ctx); err != nil {
		return err
	}
	if s := indexer.Stats(); failed.Load() > 0 || s.NumFailed > 0 || int(s.NumFlushed) != len(m.docs) {
		return fmt.Errorf("the bulk indexer wrote %d of %d documents, %d failed, %d requests failed", s.NumFlushed, len(m.docs), s.NumFailed, failed.Load())
	}
	return c.get(ctx, esapi.IndicesRefreshRequest{Index: []string{index}}, nil)
}
