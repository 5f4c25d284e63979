// Package hunt is the vocabulary of Harrier: the query and its meaning (Expr, Match), the connector contract (Connector, Description,
// Request, Translation, Frame), what is said about an answer (Coverage) and how things fail (Error).
//
// Its sub-packages are the phases of a hunt: mapping (native record <-> OCSF columns), plan (which source is asked what, without
// I/O), vector (columnar operators over Arrow batches), wrap (what the host keeps around every connector) and exec (running and
// merging); conformance says whether a connector keeps the contract, and hunttest runs it under go test.
// Expr.Match is the definition of the language; every other evaluation is a translation that is tested against it.
//
// Package hunt opens no file, no connection and no database, logs nothing and knows no GraphQL. Connectors implement its contract;
// package graph and the commands build its queries.
package hunt
