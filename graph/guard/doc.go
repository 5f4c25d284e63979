// Package guard refuses GraphQL requests that would cost far more to parse, validate or
// execute than to send.
//
// It owns the structural limits of one request: size, tokens, nesting, names, depth,
// expanded fields, repeated keys, aliases, directives, mutations, and the shape of the
// variables. It exists because gqlparser's validation is quadratic in repeated fields and
// its parser recurses as deep as the text nests: a document of a few kilobytes can cost
// seconds. Everything here is linear in the text, or bounded by a limit.
//
// It does not own the price of a hunt (which sources, which time range): that needs the
// schema and is decided when the hunt is planned. It does not validate either; what it
// accepts may still be invalid.
//
// The server installs it on the executor: exec.Use(guard.Default()).
package guard
