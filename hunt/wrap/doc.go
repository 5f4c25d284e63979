// Package wrap is what the host keeps around every connector, in process or behind the plugin wire: opening it again, also when its
// credential is refused and another one may be there, limits, retries
// and resuming, the breaker, deadlines, the memory share, answering identical searches once, the cache of results, and the record of
// its health. New puts all of it around one connection, and the outcome is a hunt.Connector again.
//
// A search passes these, from the outside to the inside:
//
//	cache     an answer that is known to be complete is given again; nothing else happens
//	flight    identical searches that run at the same time are one search at the source, read by several readers
//	memory    the flight asks its source for more only if a reader waits or the memory share has room
//	ceiling   a source that gives so many rows in one search is asked on after the last of them, until there are no more
//	retry     what broke is resumed after its last row; rows are never given twice and never lost, gaps are told once
//	breaker   a source that keeps failing is left alone for a while
//	limits    the source's own limits, shared by all connections and tenants that it counts together
//	guard     the connector runs in a goroutine of its own, with a deadline for the source and one for each frame
//
// Package wrap owns no connector, no merge and no recheck (package exec has them), logs nothing (it tells Options.Log), and opens no
// file or network. The gateway calls it when it opens connections; package graph reads Health.
package wrap
