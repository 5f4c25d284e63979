// Package exec runs plans: it asks every planned stream at once, rechecks what comes back, merges it into one order without copying
// rows, and keeps account of what was and was not searched.
//
// It owns merging, de-duplication, deadlines, cancellation and coverage lines. It does not decide what is asked (package plan) and
// does not know where sources are (it is handed connectors). Package graph and the commands call it.
package exec
