// Package lake is the embedded default store of Harrier: OCSF events in Parquet files on disk, partitioned by tenant, connection,
// class and day, read by DuckDB.
//
// It owns the layout of the folder (layout.go), the commit log that makes an input visible at once or not at all (commit.go), the
// writer that turns Arrow batches into files exactly once per input and once per event (writer.go), the translation of hunt.Expr
// into DuckDB SQL with a disposition for every predicate (translate.go, sql.go, pattern.go) and the search that streams ordered
// batches (search.go). It is a hunt.Connector.
//
// It does not own the decoding of native records (the caller maps them and appends Arrow batches), rechecking, merging, deadlines or
// coverage (package exec), and it never changes a file once it is committed. The commands that ingest and the table of connectors
// call it.
package lake
