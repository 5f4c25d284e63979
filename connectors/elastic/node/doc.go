// Package node starts a real single-node Elasticsearch 8.19 or 9.5 or OpenSearch 2.19 or 3.8 on loopback, for tests and for the demo.
//
// It owns the small Java programs that make a node of published jars (elasticsearch8, elasticsearch9, opensearch2 and opensearch3, what
// two versions share in elasticsearch and opensearch, and launcher, which all share), their build into the user's cache folder
// (build.go) with a Java that is new enough (toolchain.go), the process of a node (process.go), its start, restart and end (node.go) and
// the certificate of a node with TLS (certificate.go). A node never outlives Stop, nor the process that started it.
//
// It does not own any searching or writing of events: package elastic does. A node is not the vendor's distribution: what is not
// published as jars is missing or replaced (the comments of the Java sources say what), only Elasticsearch 8 has users and TLS, and the
// jars of Elasticsearch are under licences of Elastic: they are downloaded by Maven where they are needed and are no part of Harrier.
//
// All four are started, stopped, killed and restarted in the tests; Elasticsearch 9 and OpenSearch 3 were tested with Java 25.
//
// The tests of package elastic call it through nodetest, the demo calls it directly.
package node
