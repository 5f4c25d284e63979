// Command gen makes everything that follows from ocsf.yaml: the Go tables of package ocsf, the GraphQL event types, filters and
// enums, and the class resolvers of package graph. Run it by `make generate`; it owns no meaning, only spelling.
package main
