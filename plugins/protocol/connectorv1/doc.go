// Package connectorv1 holds the messages and the service of the plugin protocol, version 1, as generated from ../connector.proto.
//
// It owns nothing that is written by hand. Package protocol converts between these messages and package hunt; packages sdk and host
// serve and call the service.
package connectorv1
