package main

import (
	"fmt"
	"strings"

	"github.com/harrier-xdr/harrier/plugins/scaffold"
)

type pluginNewCmd struct {
	Name    string `arg:"" help:"Name of the plugin: small letters, digits and hyphens." placeholder:"NAME"`
	Dir     string `short:"d" help:"Folder to write to, new or empty; the name if it is left out." placeholder:"DIR"`
	Module  string `help:"Go module path of the project." placeholder:"PATH"`
	Replace string `help:"Checkout of Harrier to build with instead of a published version." placeholder:"DIR"`
}

// Help shows examples.
func (pluginNewCmd) Help() string {
	return `Writes a connector in Go that works and keeps the contract, for an invented vendor that you replace by yours. Its README says what to
change first.

Examples:
  harrier plugin new acme-siem --module example.com/acme-siem
  harrier plugin new acme-siem --replace ../harrier
`
}

// Run writes the project and says what to do next.
func (c pluginNewCmd) Run(p *program) error {
	dir := c.Dir
	if dir == "" {
		dir = c.Name
	}
	o := scaffold.Options{Name: c.Name, Module: c.Module, Replace: c.Replace}
	if strings.HasPrefix(version, "v") {
		o.Version = version
	}
	names, err := scaffold.Write(dir, o)
	if err != nil {
		return err
	}
	if !p.tty {
		line, err := jsonLine(map[string]any{"dir": dir, "files": names})
		if err == nil {
			fmt.Fprintln(p.stdout, line)
		}
		return err
	}
	fmt.Fprintf(p.stdout, "%d files are in %s. Next:\n\n  cd %[2]s\n  go test ./...\n  go build -o %[3]s .\n  harrier plugin check ./%[3]s --settings demo.yaml\n", len(names), dir, c.Name)
	return nil
}
