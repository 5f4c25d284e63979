// Package node starts a real single-node Elasticsearch 8.19 or OpenSearch 2.19 on loopback, for tests and for the demo.
//
// It owns the three small Java programs that make a node of published jars (elasticsearch8, opensearch2, and launcher, which both
// share), their build into the user's cache folder (build.go, toolchain.go), the process of a node (process.go), its start, restart
// and end (node.go) and the certificate of a node with TLS (certificate.go). A node never outlives Stop, nor the process that started
// it.
//
// It does not own any searching or writing of events: package elastic does. A node is not the vendor's distribution: what is not
// published as jars is missing or replaced (the comments of the Java sources say what), OpenSearch has neither users nor TLS, and the
// jars of Elasticsearch are under the Elastic License 2.0: they are downloaded by Maven where they are needed and are no part of
// Harrier.
//
// The tests of package elastic call it through nodetest, the demo calls it directly.
package node
