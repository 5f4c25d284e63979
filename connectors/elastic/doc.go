// Package elastic searches Elasticsearch 8 and 9 and OpenSearch 2 and 3 clusters where events already are, and writes events to one.
//
// It owns:
//   - the settings and the connection (elastic.go), and the client and what differs between the products (client.go);
//   - what the indices hold and how exact each field is (model.go, fields.go, describe.go), and which indices and inputs are the
//     connection's own (own.go, inputs.go);
//   - the translation of hunt.Expr into the query DSL with a disposition for every predicate: of conditions (translate.go, dsl.go), of
//     comparisons and patterns (compare.go, pattern.go) and of documents that others wrote (foreign.go);
//   - the complete and ordered reading of events (search.go, window.go, sweep.go) and the decoding of answers, documents and values
//     by column into batches (envelope.go, decode.go, simd.go, values.go);
//   - the templates and bulk requests that write events (template.go, document.go, writer.go).
//
// It is a hunt.Connector.
//
// It does not own rechecking, merging, deadlines, retries or coverage (package exec and its wrappers), nor the mapping of foreign
// documents (package mapping has the files for ECS and winlogbeat). The table of connectors and the commands that ingest call it.
package elastic
