// Package sdk is what the author of a connector in Go uses to serve it as a plugin: a program whose main calls Serve.
//
//	func main() {
//		err := sdk.Serve(sdk.Plugin{Name: "acme", Version: "1.0.0", Open: open})
//		...
//	}
//
// It owns the plugin's side of the protocol: the handshake, the calls, settings and secrets, logging, and that a panic of the connector
// is an error of one call rather than the end of the process. It does not own the connector, which is a hunt.Connector like any of the
// gateway's and is tested with hunttest like them. Plugins import it, and the gateway's own executable does, to serve built-in
// connectors from processes of their own.
package sdk
