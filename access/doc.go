// Package access says who asks and what they may see: principals, their tenants and their bearer tokens.
//
// Tokens are kept as SHA-256 hashes, never in clear. It does not speak HTTP or SQL; the server hands it the token of a request, and
// package graph asks it for the tenants of a principal.
package access
