// Package transport serves a GraphQL executor over HTTP: JSON for one answer, server-sent
// events (GraphQL over SSE, distinct connections mode) for subscriptions and for clients
// that ask for them first.
//
// It owns the wire: method, content types, body limit, request envelope, negotiation,
// status codes, response bytes, heartbeats, and what a client sees of a panic. It replaces
// gqlgen's stock transports, which encode finished JSON a second time, choose SSE by
// substring, have no body limit and repeat a bad body in the error.
//
// It does not own authentication (a middleware around it, which refuses with Refuse),
// the presentation of errors (the executor's), the limits on documents (package guard),
// or compression (a wrapper in the server, which must flush when it is flushed).
//
// The server mounts New(exec, Options{}) at its GraphQL path.
package transport
