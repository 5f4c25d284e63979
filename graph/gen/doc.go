// Command gen runs gqlgen with every input object of the schema taken for a scalar that is a map. So no code is generated for the
// filters: gqlparser checks them against the real schema, and package graph converts them by the column table. Run it by
// `make generate`, after schema/ocsf/gen.
package main
