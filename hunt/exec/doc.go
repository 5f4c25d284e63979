// Package exec runs plans: it asks every planned stream at once, rechecks what comes back, merges it into one order without copying
// rows, and keeps account of what was and was not searched.
//
// It owns merging, de-duplication, cancellation and coverage lines. It does not decide what is asked (package plan), keeps no deadline
// and tries nothing again (package wrap is around every connector), and does not know where sources are. Package graph and the commands call it.
package exec
