// Package oktatest is a server on loopback that answers as the System Log API of Okta does, with its limits: at most 1,000 events a page, links
// to the next page with an opaque cursor, the headers of the rate limit and 429, 90 days of events, filters that it parses and evaluates by
// itself, and Okta's errors. Faults can be switched on.
//
// It stands in for a source that nobody can run at home. It knows nothing of package okta, so that the two are two readings of Okta's
// documents: https://developer.okta.com/docs/reference/system-log-query/ and https://developer.okta.com/docs/reference/core-okta-api/.
// Where those leave something open, an Option chooses (IgnoreCase, OpenBounds), and a connector must do with both.
//
// Tests of package okta and of the plugin host call it.
package oktatest
