// Package okta is a connector for the Okta System Log API. It is the tutorial for authors of plugins: README.md goes through it file by
// file, in the order in which it was written.
//
// It owns what is peculiar to Okta: the settings of a connection (config.go), the mapping of LogEvents (okta.yaml, model.go), the
// translation of a request into since, until and a filter expression (translate.go, filter.go, spelling.go), HTTP with its rate limits and errors
// (client.go, answer.go, link.go), the description (describe.go) and the reading of pages in the order of Harrier (search.go).
//
// It does not own retries, deadlines, breakers, merging or checking rows again: the host does. Nor does it own the meaning of a
// condition (package hunt) or the reading of a mapping (package mapping). The command in cmd/harrier-okta serves it as a plugin; package
// oktatest stands in for Okta in its tests.
package okta
