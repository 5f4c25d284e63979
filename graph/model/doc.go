// Package model holds the Go types behind the GraphQL types: scalars, pages, coverage, and the generated event structs of the stock
// path, which tests compare the columnar writer with. It decides nothing; package graph fills it.
package model
