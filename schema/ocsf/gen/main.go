package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run reads schema/ocsf/ocsf.yaml below the current folder, the root of the module, and writes the generated files.
func run() error {
	m, err := load("schema/ocsf/ocsf.yaml")
	if err != nil {
		return err
	}
	files := map[string]func(*model) []byte{
		"schema/ocsf/tables_gen.go":      tables,
		"schema/events.graphql":          events,
		"graph/events_gen.go":            resolvers,
		"graph/model/connections_gen.go": connections,
	}
	for name, make := range files {
		if err := write(name, make(m)); err != nil {
			return err
		}
	}
	return nil
}

func write(name string, text []byte) error {
	if filepath.Ext(name) == ".go" {
		out, err := format.Source(text)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, text)
		}
		text = out
	}
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}
