// Package nodetest starts search nodes for tests.
//
// It owns when a test is skipped for lack of a JDK, Maven or a network, and the end of a node with its test. It does not own the nodes:
// package node does. Tests of connectors that search Elasticsearch or OpenSearch call it.
package nodetest
