// Command harrier-okta serves the connector for Okta as a plugin. A Harrier gateway starts it; by hand it only says so.
//
// It owns nothing but the way from the settings of a connection to package okta.
package main
