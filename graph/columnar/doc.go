// Package columnar writes pages of events as GraphQL JSON straight from Arrow columns.
//
// A selection is compiled once into a Plan per class: which columns it needs, and in which order they are written. Writing then
// looks at columns only; no object per event, no call per field through gqlgen. The stock path over the generated structs gives the
// same JSON and is the oracle of the tests. Package graph compiles and writes; directives and field interceptors do not run inside.
package columnar
