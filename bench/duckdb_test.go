package bench_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// rawSide is the other side of a ratio: SQL on the lake's own Parquet files, by an analyst who knows their layout. It has the DuckDB of
// the lake with its defaults, one warm connection and the cache of Parquet footers, and takes results as Arrow, the cheapest way out.
type rawSide struct {
	db   *sql.DB
	conn *sql.Conn
	dir  string // of the connection
}

func openRaw(ctx context.Context, lakeDir string) (*rawSide, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, err
	}
	r := &rawSide{db: sql.OpenDB(connector), dir: filepath.Join(lakeDir, "tenant="+identity().Tenant, "connection="+identity().Connection)}
	if r.conn, err = r.db.Conn(ctx); err != nil {
		return nil, err
	}
	_, err = r.conn.ExecContext(ctx, "SET TimeZone = 'UTC'; SET parquet_metadata_cache = true")
	return r, err
}

// table names the files of a class for days that match a pattern; the day `none`, whose events have no time, is never asked. Names are
// looked up here, before the clock runs.
func (r *rawSide) table(class, days string) string {
	paths, err := filepath.Glob(filepath.Join(r.dir, "class="+class, "day="+days, "*.parquet"))
	if err != nil || len(paths) == 0 {
		return "" // the query fails and says where
	}
	quoted := make([]string, len(paths))
	for i, p := range paths {
		quoted[i] = "'" + strings.ReplaceAll(p, "'", "''") + "'"
	}
	return "read_parquet([" + strings.Join(quoted, ", ") + "], hive_partitioning = false)"
}

// anyDay matches the days of events with a time.
const anyDay = "[0-9]*"

// rawAnswer is the outcome of one query.
type rawAnswer struct {
	rows int64
	uids map[string]bool // of the first column, if wanted
}

// run runs a query and reads its whole result; with uids it gathers the first column.
func (r *rawSide) run(ctx context.Context, text string, uids bool) (rawAnswer, error) {
	out := rawAnswer{uids: map[string]bool{}}
	err := r.conn.Raw(func(c any) error {
		a, err := duckdb.NewArrowFromConn(c.(driver.Conn))
		if err != nil {
			return err
		}
		reader, err := a.QueryContext(ctx, text)
		if err != nil {
			return err
		}
		defer reader.Release()
		for reader.Next() {
			rec := reader.RecordBatch()
			out.rows += rec.NumRows()
			if uids {
				out.gather(rec)
			}
		}
		return reader.Err()
	})
	if err != nil {
		return out, fmt.Errorf("%w\n%.600s", err, text)
	}
	return out, nil
}

func (a *rawAnswer) gather(rec arrow.RecordBatch) {
	if col, ok := rec.Column(0).(*array.String); ok {
		for i := range col.Len() {
			a.uids[strings.Clone(col.Value(i))] = true
		}
	}
}

// count returns one number.
func (r *rawSide) count(ctx context.Context, text string) (n int64, err error) {
	err = r.conn.QueryRowContext(ctx, text).Scan(&n)
	return n, err
}

// strings returns one column of text.
func (r *rawSide) strings(ctx context.Context, text string) ([]string, error) {
	rows, err := r.conn.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// classesWith lists the classes that have all columns.
func classesWith(paths ...string) []*ocsf.Class {
	var out []*ocsf.Class
	for i := range ocsf.Classes() {
		c := &ocsf.Classes()[i]
		has := true
		for _, p := range paths {
			has = has && c.Column(p) != nil
		}
		if has {
			out = append(out, c)
		}
	}
	return out
}
