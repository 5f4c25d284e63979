//go:build generate

// The programs that build this project, and their versions, are the tool
// directives of go.mod; `go tool NAME` runs one. This file holds only what
// `go generate ./...` needs, and its build tag, which that command sets, keeps
// it out of every build. `make generate` does the same and formats the result.

package main

// The order matters: the GraphQL event types that graph/gen reads are made from
// the event tables of schema/ocsf.

//go:generate go run ./schema/ocsf/gen
//go:generate go run ./graph/gen
