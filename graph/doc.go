// Package graph is GraphQL: resolvers of a line or two that turn inputs into queries, answers into pages, and errors into codes.
//
// It owns the conversion of inputs by the column table, cursors and global ids, and the assembly of the executable schema with its
// guard and transports. Event lists are written by package columnar. It decides nothing about hunts: package exec plans and runs
// them. The server mounts Handler; commands call Execute.
package graph
