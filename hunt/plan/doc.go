// Package plan decides which streams a hunt asks and what: it prunes streams that cannot hold such rows, finds those that cannot be
// asked, has each connector translate the rest, and keeps what must be checked again. No predicate is ever dropped.
//
// It does no I/O and starts nothing. Package exec runs plans; explain prints them.
package plan
