// Package mapping turns native records into OCSF columns by a table, and reads the same table backwards: a predicate on a column
// becomes a predicate on the native record.
//
// It owns the format of mapping files (File), the built-in ones (builtin/*.yaml), the transforms (`via`) with their inverses, the
// decoding of one record (JSON text, Zeek or CSV cells) and the building of Arrow batches. It does not own where records come from:
// connectors that read raw records hand it bytes. A Set is compiled once and safe for concurrent use; a Decoder and a Builder
// belong to one goroutine.
package mapping
