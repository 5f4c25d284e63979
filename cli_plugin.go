package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance"
	"github.com/harrier-xdr/harrier/plugins/host"
)

// errBroken says that a plugin does not keep the contract; what it breaks has been printed.
var errBroken = errors.New("the plugin does not keep the contract")

type pluginCheckCmd struct {
	Path     string   `arg:"" help:"Executable of the plugin." placeholder:"PATH"`
	Args     []string `arg:"" optional:"" help:"Its arguments."`
	Settings string   `short:"s" help:"YAML file with the settings of the connection." placeholder:"FILE"`
	Env      []string `short:"e" help:"Variable of the environment that the plugin gets." placeholder:"NAME"`
	Thorough bool     `help:"Ask several times as much."`
}

// Help shows examples.
func (pluginCheckCmd) Help() string {
	return `The plugin is started as a gateway starts it. What its streams hold is read first; then every answer is compared with what the language of
hunts means on that. Exit status: 0 it keeps the contract, 1 it does not.

Examples:
  harrier plugin check ./harrier-okta --settings okta.yaml --env OKTA_TOKEN
  harrier plugin check ./my-connector -s settings.yaml --thorough
`
}

// Run checks the plugin behaviour by behaviour.
func (c pluginCheckCmd) Run(p *program) error {
	settings, err := c.settings()
	if err != nil {
		return err
	}
	suite := conformance.Suite{Identity: c.identity(), Thorough: c.Thorough}
	if suite.Connect, err = c.opener(p, settings); err != nil {
		return err
	}
	if len(host.References(settings)) > 0 {
		suite.Secrets = []string{host.Hidden} // the host has taken them out
	}
	session, err := suite.Begin(p.ctx)
	if err != nil {
		return err
	}
	manifest := c.manifest(p.ctx, suite.Connect)
	failed := min(len(manifest.Problems), 1)
	if err := p.printResult(&manifest); err != nil {
		return errors.Join(err, session.Close())
	}
	for _, b := range conformance.Behaviours() {
		r := session.Check(p.ctx, b.Name)
		failed += min(len(r.Problems), 1)
		if err := p.printResult(&r); err != nil {
			return errors.Join(err, session.Close())
		}
	}
	if err := session.Close(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of %d behaviours", errBroken, failed, len(conformance.Behaviours())+1)
	}
	return nil
}

// manifest compares the manifest beside the executable with what that says of itself. It is a line like those of the behaviours.
func (c pluginCheckCmd) manifest(ctx context.Context, connect func(context.Context) (hunt.Connector, error)) (out conformance.Result) {
	out.Behaviour = conformance.Behaviour{Name: "Manifest", Contract: "The manifest plugin.yaml, if there is one, reads well and is of this plugin and version."}
	began := time.Now()
	defer func() { out.Took = time.Since(began) }()
	m, err := host.Manifest(c.Path)
	switch {
	case err != nil:
		out.Problems = append(out.Problems, err)
		return out
	case m == nil:
		out.Skipped = "there is no plugin.yaml beside the executable"
		return out
	}
	out.Notes = append(out.Notes, "talks to "+cmp.Or(strings.Join(m.Egress, ", "), "nobody")+", says its author; nothing is enforced from that")
	for _, name := range m.Environment {
		if !slices.Contains(c.Env, name) {
			out.Notes = append(out.Notes, "it wants the variable "+name+", which --env does not name")
		}
	}
	d, err := c.describe(ctx, connect)
	if err != nil {
		out.Problems = append(out.Problems, err)
	} else if problem := m.Differs(d.Artifact); problem != "" {
		out.Problems = append(out.Problems, errors.New(problem))
	}
	return out
}

// describe asks a process of its own.
func (pluginCheckCmd) describe(ctx context.Context, connect func(context.Context) (hunt.Connector, error)) (*hunt.Description, error) {
	conn, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	d, err := conn.Describe(ctx)
	return d, errors.Join(err, conn.Close())
}

func (pluginCheckCmd) identity() hunt.Identity {
	return hunt.Identity{Tenant: "check", Connection: "check"}
}

func (c pluginCheckCmd) settings() ([]byte, error) {
	if c.Settings == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.Settings)
	if err != nil {
		return nil, configError(c.Settings, "cannot be read: %v", unwrapPath(err))
	}
	return text, nil
}

// opener starts a process for every connection that the suite asks for.
func (c pluginCheckCmd) opener(p *program, settings []byte) (func(context.Context) (hunt.Connector, error), error) {
	base := filepath.Dir(c.Settings)
	log, err := p.logger("warn")
	if err != nil {
		return nil, err
	}
	cfg := &Config{file: filepath.Join(base, "settings")}
	return func(ctx context.Context) (hunt.Connector, error) {
		return host.Open(ctx, host.Config{Path: c.Path, Args: c.Args, Env: c.Env}, host.Setup{
			ID: c.identity(), Settings: settings, SettingsFile: c.Settings, SettingsLine: 1, BaseFolder: base, Secret: cfg.secret,
			Log: func(level, line string) { logLine(log, level, line) },
		})
	}, nil
}

// outcome is one line of a check for machines.
type outcome struct {
	Behaviour string   `json:"behaviour"`
	Contract  string   `json:"contract"`
	Outcome   string   `json:"outcome"` // KEPT, BROKEN, SKIPPED
	Problems  []string `json:"problems"`
	Skipped   string   `json:"skipped,omitempty"`
	Notes     []string `json:"notes"`
	Requests  int      `json:"requests"`
	TookMs    int64    `json:"tookMs"`
}

func outcomeOf(r *conformance.Result) outcome {
	o := outcome{Behaviour: r.Name, Contract: r.Contract, Outcome: "KEPT", Problems: []string{}, Skipped: r.Skipped, Notes: append([]string{}, r.Notes...), Requests: r.Cases, TookMs: r.Took.Milliseconds()}
	for _, err := range r.Problems {
		o.Problems = append(o.Problems, err.Error())
	}
	switch {
	case len(r.Problems) > 0:
		o.Outcome = "BROKEN"
	case r.Skipped != "":
		o.Outcome = "SKIPPED"
	}
	return o
}

// printResult prints what became of one behaviour: a line of the contract, and below it what is wrong.
func (p *program) printResult(r *conformance.Result) error {
	o := outcomeOf(r)
	if !p.tty {
		line, err := jsonLine(o)
		if err == nil {
			fmt.Fprintln(p.stdout, line)
		}
		return err
	}
	fmt.Fprintf(p.stdout, "%s %-16s %s (%d requests, %s)\n", p.paint(fmt.Sprintf("%-7s", o.Outcome), o.Outcome == "KEPT"), o.Behaviour, o.Contract, o.Requests, r.Took.Round(time.Millisecond))
	for _, problem := range o.Problems {
		fmt.Fprintf(p.stdout, "        %s\n", oneLine(problem))
	}
	for _, note := range append(o.Notes, o.Skipped) {
		if note != "" {
			fmt.Fprintf(p.stdout, "        %s\n", oneLine(note))
		}
	}
	return nil
}
