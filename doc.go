// Command harrier asks the security sources of an organisation one question together and says exactly what was and was not searched.
//
// This package is the wiring: configuration (config.go), connections and engine (gateway.go), the HTTP server (server.go), and the
// commands (cli.go and one file per command). It takes no domain decision.
package main
