package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/connectors/elastic/node/nodetest"
)

const (
	readShards   = 4 // of the index that is read
	messageRows  = 5_000
	longestEvent = 64 << 20 // bytes of a message
	readIndex    = "harrier-*-events-*"

	directName   = "direct"
	pointName    = "direct, point in time"
	subscription = "Harrier, subscription"
)

// streamDocument streams the sample in time order; pagesDocument gets it page by page.
const (
	streamDocument = `subscription($input: HuntInput!, $batch: Int!) { hunt(input: $input, batch: $batch) {
  __typename
  ... on HuntEvents { events { ... on ProcessActivity { ` + readLeaves + ` } } }
  ... on HuntDone { rows coverage { complete verdict } }
} }`
	pagesDocument = `query($timeRange: TimeRangeInput!, $first: Int!, $after: String) {
  processActivities(timeRange: $timeRange, first: $first, after: $after) { nodes { ` + readLeaves + ` } pageInfo { hasNextPage endCursor } coverage { complete } }
}`
)

// BenchmarkRead100k reads 100,000 events out of a cluster: by GraphQL over HTTP in time order, by the fastest direct reader without an
// order, and with the scan helpers of the clients for Python.
func BenchmarkRead100k(b *testing.B) {
	for _, product := range []node.Product{node.Elasticsearch, node.OpenSearch} {
		b.Run(string(product), func(b *testing.B) {
			events := sample(b)
			n := nodetest.Start(b, node.Options{Product: product, HeapMB: 1024, Log: io.Discard})
			e := openElastic(b, elastic.Config{URLs: []string{n.URL()}, Shards: readShards})
			if err := events.write(b.Context(), e); err != nil {
				b.Fatal(err)
			}
			turns, notes := readTurns(b, e, product, n.URL())
			inTurn(b, sampleRows, turns, append(notes, "The events are of "+events.from+"; all readers find the same 100,000, Harrier in time order.")...)
		})
	}
}

// readTurns checks that all ways read the same events and returns them.
func readTurns(b *testing.B, e *elastic.Elastic, product node.Product, address string) (turns []*turn, notes []string) {
	b.Helper()
	network, err := serve(newAPI("elastic", e), &access.Principal{Name: "bench", Tenants: []string{identity().Tenant}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(network.server.Close)
	decoded := &streamReader{network, messageRows, sampleRows, libraries()[0].reader(streamShape())}
	want, err := decoded.all(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if len(want) != sampleRows || !slices.IsSortedFunc(want, func(x, y event) int { return int(min(1, max(-1, x.Time-y.Time))) }) {
		b.Fatalf("%d events, wanted %d in time order", len(want), sampleRows)
	}
	c := connectCluster(b, address)
	turns, notes = directTurns(b, directWays(c, product, readIndex), want)
	if product == node.Elasticsearch {
		d := &directTables{c, readIndex}
		got, err := d.all(b.Context())
		if err == nil {
			err = sameEvents(got, want)
		}
		if err != nil {
			b.Fatal(err)
		}
		turns = append(turns, &turn{name: directTable, against: directName, run: whole(func(ctx context.Context) error { _, err := d.all(ctx); return err })})
		notes = append(notes, directTable+": tables of ES|QL as columns of JSON, fastjson, between the times that a histogram cuts; nothing is checked.")
	}
	turns = append(turns, []*turn{
		{name: subscription, against: directName, target: "<= 1.05", run: whole((&streamReader{network, messageRows, sampleRows, nil}).run)},
		{name: "Harrier, subscription decoded", against: directName, run: whole(decoded.run)},
		{name: "Harrier, pages", against: directName, run: whole(func(ctx context.Context) error { return readPages(ctx, network) })},
	}...)
	notes = append(notes, "Harrier, subscription: the bytes of all messages, as a client gets them; decoded: into the same structs as direct, with "+libraries()[0].name()+".")
	scans, err := pythonTurns(b, product, address, want)
	if errors.Is(err, errNoPython) {
		notes = append(notes, "Python is left out: "+err.Error())
	} else if err != nil {
		b.Fatal(err)
	}
	return append(turns, scans...), notes
}

// directTurns are the fastest of the direct ways and, if that is by scrolls, the fastest by a point in time too.
func directTurns(b *testing.B, ways []*direct, want []event) (turns []*turn, notes []string) {
	b.Helper()
	best, notes, err := fastest(b.Context(), ways, want)
	if err != nil {
		b.Fatal(err)
	}
	add := func(name, against string, d *direct) {
		turns = append(turns, &turn{name: name, against: against, run: whole(func(ctx context.Context) error { _, err := d.all(ctx); return err })})
		notes = append(notes, fmt.Sprintf("%s: %s; %d shards, pages of %d, decoded into structs, in no order.", name, d, readShards, directPage))
	}
	add(directName, "", best)
	ways = slices.DeleteFunc(slices.Clone(ways), func(d *direct) bool { return d.scroll })
	if !best.scroll || len(ways) == 0 {
		return turns, notes
	}
	point, more, err := fastest(b.Context(), ways, want)
	if err != nil {
		b.Fatal(err)
	}
	notes = append(notes, more...)
	add(pointName, directName, point)
	return turns, notes
}

// pythonTurns are the scan helpers, by documents and by values.
func pythonTurns(b *testing.B, product node.Product, address string, want []event) (out []*turn, err error) {
	b.Helper()
	expected := scanned{Rows: len(want)}
	for i := range want {
		expected.Times += want[i].Time % timesModulus
	}
	name := map[node.Product]string{node.Elasticsearch: "elasticsearch-py scan, ", node.OpenSearch: "opensearch-py scan, "}[product]
	for _, where := range []string{"_source", "docvalue_fields"} {
		p, err := startPython(b, product, address, where)
		if err != nil {
			return nil, err
		}
		p.want = expected
		out = append(out, &turn{name: name + where, against: subscription, target: ">= 3", run: p.run})
	}
	return out, nil
}

func streamShape() shape { return shape{list: []string{"data", "hunt", "events"}, root: graphPlaces()} }

// streamReader reads a subscription to its end, over server-sent events.
type streamReader struct {
	*overHTTP
	batch  int
	rows   int    // that it should have
	decode reader // nil to leave the messages as they are
}

// done is the last message of a subscription.
type done struct {
	Data struct {
		Hunt struct {
			Rows int
		}
	}
	Errors json.RawMessage
}

func (s *streamReader) run(ctx context.Context) error {
	_, err := s.all(ctx)
	return err
}

// all reads the stream; the events are nil if they are not decoded. Messages are decoded while the next ones come.
func (s *streamReader) all(ctx context.Context) (events []event, err error) {
	group, ctx := errgroup.WithContext(ctx)
	messages := make(chan []byte, 2)
	var last []byte
	group.Go(func() (err error) {
		defer close(messages)
		last, err = s.messages(ctx, messages)
		return err
	})
	group.Go(func() error {
		for m := range messages {
			if s.decode == nil {
				continue
			}
			p, err := s.decode(m, events)
			if err != nil {
				return err
			}
			events = p.events
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var d done
	if err := json.Unmarshal(last, &d); err != nil || d.Errors != nil || d.Data.Hunt.Rows != s.rows {
		return nil, fmt.Errorf("the stream does not end as it should, %v: %.500s", err, last)
	}
	return events, nil
}

// messages sends the messages that hold events and returns the last one, which does not.
func (s *streamReader) messages(ctx context.Context, out chan<- []byte) ([]byte, error) {
	body, err := json.Marshal(object("query", streamDocument, "variables", object("batch", s.batch, "input", object(
		"timeRange", object("start", allStart, "end", allEnd), "match", object("steps", []any{object("as", "all", "event", object("processActivities", object()))})))))
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.server.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := s.server.Client().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return forward(ctx, resp.Body, out)
}

// forward reads server-sent events and sends the data of those that hold events of a hunt.
func forward(ctx context.Context, from io.Reader, out chan<- []byte) (last []byte, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 4<<20), longestEvent)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		switch {
		case !ok:
			continue
		case !bytes.Contains(data[:min(len(data), 100)], []byte(`"HuntEvents"`)):
			last = bytes.Clone(data)
			continue
		}
		select {
		case out <- bytes.Clone(data):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return last, lines.Err()
}

// readPages reads all pages. Their JSON is left to the caller, but for what tells where to go on.
func readPages(ctx context.Context, a asker) error {
	variables := object("timeRange", object("start", allStart, "end", allEnd), "first", largest)
	for rows := 0; ; {
		data, err := a.ask(ctx, pagesDocument, variables)
		if err != nil {
			return err
		}
		rows += bytes.Count(data, []byte(`{"uid":"`))
		cursor, more := endCursor(data)
		if !more {
			if rows != sampleRows {
				return fmt.Errorf("the pages have %d events, wanted %d", rows, sampleRows)
			}
			return nil
		}
		variables["after"] = cursor
	}
}

// endCursor reads the end of a page, which stands behind its events.
func endCursor(data []byte) (cursor string, more bool) {
	at := bytes.LastIndex(data, []byte(`"pageInfo":`))
	if at < 0 {
		return "", false
	}
	var info struct {
		HasNextPage bool
		EndCursor   string
	}
	err := json.NewDecoder(bytes.NewReader(data[at+len(`"pageInfo":`):])).Decode(&info)
	return info.EndCursor, err == nil && info.HasNextPage
}
