// Package vector evaluates conditions and orders rows on Arrow batches: columns in, no object per event.
//
// It owns the columnar form of hunt.Expr (Filter, equal to Expr.Match on every row), the row view that Match reads a batch through
// (Row), and the operators that every source and the executor share: Take, Sort and Merge. It does no I/O and keeps no state
// between calls. Connectors that evaluate hunts themselves, and package exec, call it.
package vector
