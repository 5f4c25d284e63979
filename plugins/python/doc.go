// Package python holds a library for connectors in Python and an example that uses it, and proves by its tests that the plugin protocol
// can be spoken from another language.
//
// It owns harrier_plugin (the plugin's side of the protocol, and the meaning of conditions written again), example (a connector that reads a
// folder of door-access records), what is generated for them (generate.sh, gen) and the pinned packages (requirements.txt). The folder has
// no Go but its tests, which start the example with package host as a gateway does. Nothing imports it.
package python
