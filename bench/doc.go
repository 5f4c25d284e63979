// Package bench measures Harrier against what a user would otherwise run: the hunts of a benchmark over a million events through
// GraphQL, beside SQL on the lake's own Parquet files in the same DuckDB; reading from and writing to a search node, beside the plain
// client; connectors in processes of their own, beside the same in this one; and the phases of a hunt one by one.
//
// It owns the list of hunts with their SQL twins, the unpacking and ingestion of the events (kept in the temporary folder of the
// system, never in the repository), the readers and writers that others would write by hand, and the micro-benchmarks of mapping,
// filtering, merging and writing. It holds no code of the product and changes nothing: everything is measured through the public
// surfaces that the service itself uses. `make bench` runs it; nothing imports it. What needs the events skips where they are absent.
package bench
