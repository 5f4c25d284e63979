package bench_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"golang.org/x/sync/errgroup"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
)

// The direct reader is what somebody writes who only wants the events out of one cluster, in any order: slices that are read at the same
// time, the largest pages, only the fields that are wanted. Each way to do so is tried, and the fastest is measured.

const directPage = 10_000

// direct is one way to read.
type direct struct {
	cluster
	index   string
	slices  int     // that are read at the same time
	scroll  bool    // by scrolls; else by slices of one point in time
	byValue bool    // the values that are kept by column; else parts of the documents
	lib     library // what decodes the answers
}

func (d *direct) String() string {
	name := fmt.Sprintf("%d slices of a point in time, ", d.slices)
	if d.scroll {
		name = fmt.Sprintf("%d slices of scrolls, ", d.slices)
	}
	if d.byValue {
		return name + "docvalue_fields, " + d.lib.name()
	}
	return name + "_source, " + d.lib.name()
}

// directWays lists the ways that a product has: OpenSearch 2 cannot page a point in time without losing rows, since it has no _shard_doc.
func directWays(c cluster, product node.Product, index string) []*direct {
	var out []*direct
	for _, lib := range libraries() {
		for _, byValue := range []bool{false, true} {
			out = append(out, &direct{c, index, readShards, true, byValue, lib})
			if product == node.Elasticsearch {
				out = append(out, &direct{c, index, readShards, false, byValue, lib})
			}
		}
	}
	return out
}

// fields is the part of a request that says what is wanted of a document.
func (d *direct) fields() string {
	list, _ := json.Marshal(readColumns()) // texts always encode
	if d.byValue {
		return `"_source":false,"stored_fields":"_none_","docvalue_fields":` + string(list)
	}
	return `"_source":` + string(list)
}

func (d *direct) shape() shape {
	if d.byValue {
		return shape{list: []string{"hits", "hits"}, inner: "fields", root: flatPlaces()}
	}
	return shape{list: []string{"hits", "hits"}, inner: "_source", root: nestedPlaces()}
}

// all reads all events.
func (d *direct) all(ctx context.Context) ([]event, error) {
	pit, err := d.point(ctx)
	if err != nil {
		return nil, err
	}
	parts := make([][]event, d.slices)
	group, inner := errgroup.WithContext(ctx)
	for i := range parts {
		group.Go(func() (err error) {
			parts[i], err = d.slice(inner, i, pit)
			return err
		})
	}
	err = group.Wait()
	if pit != "" {
		err = errors.Join(err, d.get(ctx, esapi.ClosePointInTimeRequest{Body: strings.NewReader(`{"id":"` + pit + `"}`)}, nil))
	}
	out := make([]event, 0, sampleRows)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out, err
}

// point opens the point in time, if there is one.
func (d *direct) point(ctx context.Context) (string, error) {
	if d.scroll {
		return "", nil
	}
	var out struct{ ID string }
	err := d.get(ctx, esapi.OpenPointInTimeRequest{Index: []string{d.index}, KeepAlive: "1m"}, &out)
	return out.ID, err
}

// slice reads one slice.
func (d *direct) slice(ctx context.Context, i int, pit string) ([]event, error) {
	decode := d.lib.reader(d.shape())
	out := make([]event, 0, sampleRows/d.slices+directPage)
	var buf bytes.Buffer
	next := d.first(i, pit)
	for {
		if err := d.do(ctx, next, &buf); err != nil {
			return nil, err
		}
		had := len(out)
		page, err := decode(buf.Bytes(), out)
		if err != nil {
			return nil, err
		}
		out = page.events
		if len(out)-had < directPage {
			return out, d.end(ctx, page)
		}
		next = d.next(i, cmp.Or(page.pit, pit), page)
	}
}

// first is the first request of a slice.
func (d *direct) first(i int, pit string) esapi.Request {
	if !d.scroll {
		return d.paged(i, pit, "")
	}
	body := fmt.Sprintf(`{"size":%d,"sort":["_doc"],"slice":{"id":%d,"max":%d},%s}`, directPage, i, d.slices, d.fields())
	return esapi.SearchRequest{Index: []string{d.index}, Scroll: time.Minute, Body: strings.NewReader(body)}
}

func (d *direct) paged(i int, pit, after string) esapi.Request {
	return esapi.SearchRequest{Body: strings.NewReader(fmt.Sprintf(`{"size":%d,"track_total_hits":false,"sort":["_shard_doc"],"slice":{"id":%d,"max":%d},"pit":{"id":%q,"keep_alive":"1m"},%s%s}`,
		directPage, i, d.slices, pit, d.fields(), after))}
}

func (d *direct) next(i int, pit string, p page) esapi.Request {
	if d.scroll {
		return esapi.ScrollRequest{Body: strings.NewReader(`{"scroll":"1m","scroll_id":"` + p.scroll + `"}`)}
	}
	return d.paged(i, pit, fmt.Sprintf(`,"search_after":[%d]`, p.sort))
}

// end frees what a scroll holds in the cluster.
func (d *direct) end(ctx context.Context, p page) error {
	if !d.scroll {
		return nil
	}
	return d.get(ctx, esapi.ClearScrollRequest{Body: strings.NewReader(`{"scroll_id":["` + p.scroll + `"]}`)}, nil)
}

// fastest tries all ways, in turn, and returns the one that takes the least time of those that find the events: first with a slice for each
// shard, then that one with more. notes tell of the others.
func fastest(ctx context.Context, ways []*direct, want []event) (best *direct, notes []string, err error) {
	best, notes, err = fastestOf(ctx, ways, want)
	if err != nil {
		return nil, nil, err
	}
	more := []*direct{best}
	for _, n := range []int{2 * readShards, 3 * readShards} {
		next := *best
		next.slices = n
		more = append(more, &next)
	}
	best, again, err := fastestOf(ctx, more, want)
	return best, append(notes, again...), err
}

func fastestOf(ctx context.Context, ways []*direct, want []event) (best *direct, notes []string, err error) {
	var able []*direct
	for _, d := range ways {
		got, err := d.all(ctx)
		if err == nil {
			err = sameEvents(got, want)
		}
		if err != nil {
			notes = append(notes, fmt.Sprintf("not possible: %s: %.200s", d, err))
			continue
		}
		able = append(able, d)
	}
	times := make([][]time.Duration, len(able))
	for range turnRounds() {
		for i, d := range able {
			took, err := timed(func() error { _, err := d.all(ctx); return err })
			if err != nil {
				return nil, nil, err
			}
			times[i] = append(times[i], took)
		}
	}
	var least time.Duration
	for i, d := range able {
		took := median(times[i])
		notes = append(notes, fmt.Sprintf("tried before: %s: %.1f ms", d, milliseconds(took)))
		if best == nil || took < least {
			best, least = d, took
		}
	}
	if best == nil {
		return nil, nil, fmt.Errorf("no direct way finds the events: %s", strings.Join(notes, "; "))
	}
	return best, notes, nil
}
