// Package protocol is the plugin protocol as Go sees it: what goes over the wire between a gateway and a connector in another process,
// converted to and from package hunt, and checked.
//
// It owns connector.proto (the contract for authors in any language), the converters, the frames of a search with their Arrow batches,
// the gRPC codec that carries batches with one copy, and the names of the handshake. What the other side sends is never trusted: an
// unknown class, path, operator or code, a schema that is not the class's, or buffers that a batch cannot have are an error with code
// PLUGIN_PROTOCOL, and a batch that was accepted can be read without panics. It starts no process, opens no connection and knows no
// settings: packages sdk (the plugin's side) and host (the gateway's side) do, and they alone import it.
package protocol
