// Command gen writes plugins/python/harrier_plugin/tables.json: the event classes, their columns and enums, and how letters fold, as the
// Go side has them. Run it from the root of the module:
//
//	go run ./plugins/python/gen
//
// It does not own the tables: package ocsf and hunt.Fold do. A test of the folder above holds that the file is the newest.
package main
