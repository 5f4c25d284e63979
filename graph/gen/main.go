package main

import (
	"fmt"
	"os"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/vektah/gqlparser/v2/ast"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "graph/gen:", err)
		os.Exit(1)
	}
}

func run() error {
	cfg, err := config.LoadConfig("gqlgen.yml")
	if err != nil {
		return err
	}
	return api.Generate(cfg, api.AddPlugin(inputs{cfg}))
}

// inputs is the gqlgen plugin that turns input objects into scalars for the generator. The schema that the server runs is not touched.
type inputs struct{ cfg *config.Config }

// Name implements plugin.Plugin.
func (inputs) Name() string { return "inputs" }

// MutateSchema implements plugin.SchemaMutator.
func (p inputs) MutateSchema(schema *ast.Schema) error {
	for name, def := range schema.Types {
		if def.Kind == ast.InputObject {
			def.Kind, def.Fields = ast.Scalar, nil
			p.cfg.Models[name] = config.TypeMapEntry{Model: config.StringList{"github.com/harrier-xdr/harrier/graph/model.Input"}}
		}
	}
	return nil
}
