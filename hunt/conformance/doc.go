// Package conformance says whether a connector keeps the contract of package hunt, behaviour by behaviour.
//
// It owns the behaviours (Behaviours, each with its contract in one sentence) and the engine that checks them (Suite, Session): what is
// asked follows from the connector's own Description and from events that the suite made (package sample) or, in a survey, from what
// the source holds. Every answer is compared with hunt.Expr.Match row by row. A behaviour that does not apply says why.
//
// It opens no source, writes no file and needs no test: the command that checks a plugin runs it in the shipped program. Package
// hunttest runs it under go test.
package conformance
