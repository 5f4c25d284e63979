// Package heap keeps the garbage collector of a process that streams columns from running without need.
//
// Go starts a collection when the heap has doubled since the last one. A gateway holds a few megabytes and streams batches of as much,
// so that it would collect after every second batch; with room for some dozens, a search through a plugin is a third faster. Programs
// that stream call it once when they start: the commands of the gateway, and the SDK in plugins.
package heap
