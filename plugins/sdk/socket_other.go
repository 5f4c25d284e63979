//go:build !linux

package sdk

// widen leaves the connections to the host as the system makes them.
func widen() {}
