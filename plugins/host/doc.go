// Package host runs a connector in a process of its own and makes a hunt.Connector of it, so that the rest of the gateway does not see
// the difference.
//
// It owns the process: that it is the executable that was pinned, what of the host it gets to see (nothing but what was configured), what
// the operating system bounds, that its output cannot hurt the host, that it is started again with back-off when it dies, and that it
// ends with the connection or the host. It trusts nothing that comes over the wire; package protocol checks it. It does not own
// retrying, deadlines or coverage of hunts: package exec keeps those for every connector. The gateway's wiring calls it, for plugins of
// others and for built-in connectors that are served from a process of their own.
package host
