// Package connectors is the one table of built-in connectors: name -> opener. Each connector is a folder of its own that imports no
// sibling. The program's wiring calls Table; adding a connector is one line in it.
package connectors
