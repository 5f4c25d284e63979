// Package files reads native logs in place, through a mapping and without ingestion.
//
// It owns the recognition of files by their content (container.go, sniff.go), the cutting of parts into records (ndjson.go, json.go,
// zeek.go, csv.go over lines.go), the mapping of a part's records on one or several goroutines (scan.go, fanout.go), the list of what
// lies in the folder (walk.go), the index of what each part holds and its changes (index.go, look.go, glance.go), the cache of mapped
// columns (cache.go), the search over them (search.go, best.go) and the scan of a part for a load (load.go). It does not own how a
// record becomes OCSF columns (package mapping) nor what a condition means (package vector evaluates it, so every predicate is EXACT).
//
// The table of connectors opens it; the command that loads a lake calls Scan.
package files
