package protocol

import "math"

// The handshake, as go-plugin defines it: the host puts CookieKey=CookieValue into the plugin's environment, and the plugin prints one
// line `1|VERSION|unix|SOCKET|grpc|CERTIFICATE` on its standard output. README.md of the folder above says it in full.
const (
	// Version is the version of connector.proto that this package speaks.
	Version = 1
	// CookieKey and CookieValue tell a plugin that a host has started it. They are no secret.
	CookieKey   = "HARRIER_PLUGIN"
	CookieValue = "5a4a2d0c-connector"
	// PluginName is the name under which go-plugin dispenses the service.
	PluginName = "connector"
)

// Sizes of messages.
const (
	// MaxFrame is the largest frame of a search that is received: what gRPC can count.
	MaxFrame = math.MaxInt32
	// MaxAnswer is the largest answer to a call other than Search, a description with everything in it.
	MaxAnswer = 64 << 20
	// BatchBytes is where the sending side splits a batch: small enough to bound memory, large enough that framing costs nothing.
	BatchBytes = 2 << 20
	// MaxRows is the most rows that a batch may have.
	MaxRows = 64 << 10
)
