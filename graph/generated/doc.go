// Package generated is the executable schema that gqlgen makes from schema/*.graphql; see graph/gen. Only this file is written by
// hand. Package graph implements its resolvers.
package generated
