// Package ocsf is the event schema: the OCSF 1.8 classes, columns, enums and identifier kinds that Harrier types, as tables.
//
// It owns ocsf.yaml, the one data file, and the generator (gen) that makes tables_gen.go, the GraphQL event types in
// ../events.graphql and the class resolvers of package graph from it. It does not own values, rows or any logic about them: package
// hunt and everything above it read these tables. Nothing here may be changed while the program runs.
package ocsf
