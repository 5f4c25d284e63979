package lake

import (
	"context"
	"database/sql/driver"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/duckdb/duckdb-go/v2"
)

// query runs a statement and visits its batches. They are DuckDB's memory: visit copies or retains what it keeps.
func (l *Lake) query(ctx context.Context, text string, visit func(arrow.RecordBatch) error) error {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
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
			if err := visit(reader.RecordBatch()); err != nil {
				return err
			}
		}
		return reader.Err()
	})
}
