// Command testcount reads the output of `go test -json` and says how many
// tests ran, passed, failed and were skipped, with the reason of each skip.
//
// It owns the counting and the summary; it does not start the tests. The script
// scripts/test.sh calls it at the end of a pipe.
//
// A test with subtests is counted by its subtests, unless it failed or was
// skipped by itself. A package that fails without a failing test (it does not
// compile, its TestMain exits, it runs out of time) counts as one failure. The
// exit status is 0 only if something passed and nothing failed.
package main
