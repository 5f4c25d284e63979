// Package strictyaml decodes the YAML files that users write: one document, no unknown key, every error with its line and column.
// Anchors and merge keys are expanded first, so that a part of a document can be decoded by itself.
//
// It owns no format. Package mapping decodes mapping files with it, and the program its configuration.
package strictyaml
