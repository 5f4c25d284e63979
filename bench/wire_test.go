package bench_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// wireRows is how many events of the demo are scanned where there are no benchmark events.
const wireRows = 200_000

// BenchmarkPluginWire scans a whole class of a lake, in this process and in one of its own: the connector alone, and the hunt that streams
// it over HTTP. The figures of the wire itself are those of the benchmarks of plugins/host.
func BenchmarkPluginWire(b *testing.B) {
	program := buildProgram(b)
	dir, from := wireLake(b)
	here, err := lake.Open(b.Context(), identity(), lake.Config{Path: dir})
	if err != nil {
		b.Fatal(err)
	}
	closeAtEnd(b, here)
	there := openApart(b, program, "lake", fmt.Sprintf("path: %q", dir))
	rows, bytes, err := scanAll(b.Context(), here)
	if err != nil {
		b.Fatal(err)
	}
	var turns []*turn
	for _, c := range []struct {
		of   string
		conn hunt.Connector
	}{{"", here}, {", own process", there}} {
		scan := &turn{name: "search" + c.of, run: whole(func(ctx context.Context) error { return sameScan(ctx, c.conn, rows) })}
		stream := &turn{name: "subscription" + c.of, run: whole(streamsAll(b, c.conn, rows))}
		if c.of != "" {
			scan.against, stream.against = "search", "subscription"
		}
		turns = append(turns, scan, stream)
	}
	inTurn(b, rows, turns, fmt.Sprintf("%d events of %s of %s; search: all frames of one search of each stream, %.0f MB of Arrow columns; subscription: the hunt over HTTP, its messages read and not decoded.",
		rows, sampleClass, from, float64(bytes)/1e6))
}

// wireLake returns the lake of the benchmark events, or makes one of the demo.
func wireLake(b *testing.B) (dir, from string) {
	b.Helper()
	if haveData() {
		return openWorld(b).dir, "the benchmark events"
	}
	events, err := demoEvents(b.Context(), wireRows)
	if err != nil {
		b.Fatal(err)
	}
	dir = b.TempDir()
	into, err := lake.Open(b.Context(), identity(), lake.Config{Path: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer into.Close()
	if err := events.write(b.Context(), into); err != nil {
		b.Fatal(err)
	}
	return dir, events.from
}

// scanAll searches all streams of the sample's class for the sample's columns, and counts rows and the bytes of their buffers.
func scanAll(ctx context.Context, c hunt.Connector) (rows int, bytes int64, err error) {
	desc, err := c.Describe(ctx)
	if err != nil {
		return 0, 0, err
	}
	for i := range desc.Streams {
		s := &desc.Streams[i]
		if s.Class.Name != sampleClass {
			continue
		}
		n, size, err := scanStream(ctx, c, s.Name)
		if err != nil {
			return 0, 0, err
		}
		rows, bytes = rows+n, bytes+size
	}
	return rows, bytes, nil
}

func scanStream(ctx context.Context, c hunt.Connector, stream string) (rows int, bytes int64, err error) {
	t, err := c.Translate(hunt.Request{Stream: stream, Class: ocsf.ByName(sampleClass), Range: allTimes(), Where: hunt.True(), Columns: readColumns(), Order: hunt.TimeAsc})
	if err != nil {
		return 0, 0, err
	}
	ended := false
	for frame, err := range c.Search(ctx, t) {
		if err != nil {
			return 0, 0, err
		}
		switch f := frame.(type) {
		case *hunt.Batch:
			rows += int(f.Record.NumRows())
			for _, column := range f.Record.Columns() {
				bytes += int64(column.Data().SizeInBytes())
			}
		case hunt.End:
			ended = true
		}
	}
	if !ended {
		return 0, 0, fmt.Errorf("the search of %s has no end", stream)
	}
	return rows, bytes, nil
}

// sameScan fails if a scan has other rows than the first one. The sizes of buffers depend on how batches are cut.
func sameScan(ctx context.Context, c hunt.Connector, want int) error {
	rows, _, err := scanAll(ctx, c)
	if err == nil && rows != want {
		err = fmt.Errorf("%d rows, wanted %d", rows, want)
	}
	return err
}

// streamsAll serves a connection and returns what reads all of it by a subscription.
func streamsAll(b *testing.B, c hunt.Connector, rows int) func(context.Context) error {
	b.Helper()
	network, err := serve(newAPI("lake", c), &access.Principal{Name: "bench", Tenants: []string{identity().Tenant}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(network.server.Close)
	return (&streamReader{overHTTP: network, batch: messageRows, rows: rows}).run
}
