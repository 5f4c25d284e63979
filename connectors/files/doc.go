// Package files reads native logs in place, through a mapping and without ingestion.
//
// It owns the recognition of files by their content (container.go, sniff.go), the cutting of parts into records (ndjson.go, json.go,
// zeek.go, csv.go), the index of what each part holds (index.go, look.go), the cache of mapped columns (cache.go) and the search
// over them (search.go). It does not own how a record becomes OCSF columns (package mapping) nor what a condition means (package
// vector evaluates it, so every predicate is EXACT).
//
// The table of connectors opens it; the command that loads a lake calls Scan.
package files
