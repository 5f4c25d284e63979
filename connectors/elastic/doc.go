// Package elastic searches Elasticsearch 8 and 9 and OpenSearch 2 and 3 clusters where events already are, and writes events to one.
//
// It owns the client and what differs between the products (client.go), what the indices hold and how exact each field is (model.go,
// fields.go, describe.go), the translation of hunt.Expr into the query DSL with a disposition for every predicate (translate.go,
// dsl.go), the complete and ordered reading of events (search.go, window.go), the decoding of documents into columns (decode.go) and
// the templates and bulk requests that write events (template.go, document.go, writer.go). It is a hunt.Connector.
//
// It does not own rechecking, merging, deadlines, retries or coverage (package exec and its wrappers), nor the mapping of foreign
// documents (package mapping has the files for ECS and winlogbeat). The table of connectors and the commands that ingest call it.
package elastic
