// Package schema is the public contract: the GraphQL schema, one file per noun, and the event schema in ocsf.
//
// events.graphql is generated from ocsf/ocsf.yaml; the other files are written by hand. It holds no logic.
package schema

import "embed"

// Files holds the GraphQL schema files.
//
//go:embed *.graphql
var Files embed.FS
