//go:build race

package main

// raced says that the tests run with the race detector, which makes reading logs ten times slower.
const raced = true
