// Command gen makes plugins/protocol/connectorv1 from plugins/protocol/connector.proto. Run it from the root of the module:
//
//	go run ./plugins/protocol/gen
//
// It compiles the file with a library and asks the generators of protobuf and gRPC, at the versions of go.mod, for the code; nothing has
// to be installed. It does not own the protocol. `make generate` calls it.
package main
