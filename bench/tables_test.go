package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/elastic/go-elasticsearch/v8/esapi"
	"github.com/valyala/fastjson"
	"golang.org/x/sync/errgroup"
)

// The other direct reader is of somebody who knows that Elasticsearch gives tables (ES|QL) of up to 10,000 rows for less than it gives hits,
// and who trusts them: a histogram says how the time has to be cut, and the tables are read several at a time, each as columns of JSON. Nothing
// is checked: a table that the cluster cut, or an event that moved meanwhile, is not noticed.

const (
	directTable   = "direct, ES|QL"
	tableBuckets  = 200 // of the histogram
	tablesAtATime = 6
)

// directTables reads by tables.
type directTables struct {
	cluster
	index string
}

// all reads all events.
func (d *directTables) all(ctx context.Context) ([]event, error) {
	cuts, err := d.cuts(ctx)
	if err != nil {
		return nil, err
	}
	parts := make([][]event, len(cuts)-1)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(tablesAtATime)
	for i := range parts {
		group.Go(func() (err error) {
			parts[i], err = d.table(inner, cuts[i], cuts[i+1])
			return err
		})
	}
	err = group.Wait()
	out := make([]event, 0, sampleRows)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out, err
}

// cuts are times between which there are no more events than a table holds.
func (d *directTables) cuts(ctx context.Context) ([]int64, error) {
	var limits struct {
		Aggregations struct{ Min, Max struct{ Value float64 } }
	}
	err := d.aggregate(ctx, `{"min":{"min":{"field":"time"}},"max":{"max":{"field":"time"}}}`, &limits)
	if err != nil {
		return nil, err
	}
	from, to := int64(limits.Aggregations.Min.Value), int64(limits.Aggregations.Max.Value)+1
	var counts struct {
		Aggregations struct {
			H struct {
				Buckets []struct {
					Key  float64
					Rows int64 `json:"doc_count"`
				}
			}
		}
	}
	if err := d.aggregate(ctx, fmt.Sprintf(`{"h":{"histogram":{"field":"time","interval":%d,"min_doc_count":1}}}`, (to-from)/tableBuckets+1), &counts); err != nil {
		return nil, err
	}
	out, rows := []int64{from}, int64(0)
	for _, b := range counts.Aggregations.H.Buckets {
		if b.Rows > directPage {
			return nil, fmt.Errorf("%d events in one bucket of time; cut it further", b.Rows)
		}
		if rows += b.Rows; rows > directPage {
			out, rows = append(out, int64(b.Key)), b.Rows
		}
	}
	return append(out, to), nil
}

func (d *directTables) aggregate(ctx context.Context, aggs string, into any) error {
	return d.get(ctx, esapi.SearchRequest{Index: []string{d.index}, Body: strings.NewReader(`{"size":0,"track_total_hits":false,"aggs":` + aggs + `}`)}, into)
}

// table reads the events from one time until before another.
func (d *directTables) table(ctx context.Context, from, to int64) ([]event, error) {
	body, _ := json.Marshal(map[string]any{ // texts always encode
		"columnar": true,
		"query":    fmt.Sprintf("FROM %s | WHERE time >= %d AND time < %d | KEEP %s | LIMIT %d", d.index, from, to, strings.Join(readColumns(), ", "), directPage),
	})
	var buf bytes.Buffer
	header := http.Header{"Content-Type": {"application/json"}}
	if err := d.do(ctx, esapi.EsqlQueryRequest{Body: bytes.NewReader(body), Header: header}, &buf); err != nil {
		return nil, err
	}
	return tableEvents(buf.Bytes())
}

// tableEvents decodes a table whose columns are those of readColumns.
func tableEvents(body []byte) ([]event, error) {
	var parser fastjson.Parser
	answer, err := parser.ParseBytes(body)
	if err != nil {
		return nil, err
	}
	columns := answer.GetArray("values")
	if len(columns) != len(readColumns()) {
		return nil, errShape
	}
	out := make([]event, len(columns[0].GetArray()))
	for field, column := range columns {
		for row, v := range column.GetArray() {
			switch v.Type() {
			case fastjson.TypeString:
				err = out[row].setText(field, v.GetStringBytes())
			case fastjson.TypeNumber:
				out[row].setNumber(field, v.GetInt64())
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
