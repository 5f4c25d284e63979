package main

import (
	"context"
	"errors"
	"os"

	"github.com/rs/zerolog"

	"github.com/harrier-xdr/harrier/connectors"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/host"
	"github.com/harrier-xdr/harrier/plugins/sdk"
)

// checkProcess refuses what says nothing, or contradicts itself, of the process of a connection.
func (c *Config) checkProcess(n *ConnectionConfig) error {
	p := &n.Process
	switch {
	case n.Connector == pluginConnector && p.Path == "":
		return errors.New("a plugin needs process.path, the executable")
	case n.Connector == pluginConnector && n.Isolation != "":
		return errors.New("a plugin always runs in a process of its own; leave isolation out")
	case n.Connector != pluginConnector && (p.Path != "" || len(p.Args) > 0 || p.Checksum != ""):
		return errors.New("process.path, args and checksum are of a plugin; " + n.Connector + " is built in")
	case n.Connector != pluginConnector && n.Isolation == "" && (p.MemoryMB != 0 || p.CPUs != 0 || len(p.Env) > 0 || p.Dir != "" || p.Cgroup != ""):
		return errors.New("process is only for a plugin or with isolation: process")
	}
	return nil
}

// apart says whether the connection runs in a process of its own.
func (n *ConnectionConfig) apart() bool {
	return n.Connector == pluginConnector || n.Isolation == isolationProcess
}

// openProcess opens a connection in a process of its own: the executable of a plugin, or this program itself.
func (c *Config) openProcess(ctx context.Context, n *ConnectionConfig, setup connectors.Setup, log zerolog.Logger) (hunt.Connector, error) {
	p := n.Process
	p.Path, p.Dir, p.Cgroup = c.path(p.Path), c.path(p.Dir), c.path(p.Cgroup)
	if n.Isolation == isolationProcess {
		self, err := os.Executable()
		if err != nil {
			return nil, hunt.Errorf(hunt.PluginRefused, "this program does not know its own executable: %w", err)
		}
		p.Path, p.Args = self, append([]string{"connector", n.Connector}, c.mappingArgs()...)
	}
	connection := log.With().Str("connection", n.Tenant+"/"+n.Name).Logger()
	return host.Open(ctx, p, host.Setup{
		ID: setup.ID, Settings: n.Settings.text(), SettingsFile: c.file, SettingsLine: n.Settings.line(),
		BaseFolder: c.path("."), Secret: setup.Secret, Log: func(level, line string) { logLine(connection, level, line) },
	})
}

// mappingArgs tell the process of a connector which mapping files there are beside the built-in ones.
func (c *Config) mappingArgs() []string {
	var out []string
	for _, name := range c.Mappings {
		out = append(out, "--mapping", c.path(name))
	}
	return out
}

// logLine takes over a line that a process wrote.
func logLine(log zerolog.Logger, level, line string) {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		l = zerolog.InfoLevel
	}
	log.WithLevel(l).Msg(line)
}

// connectorCmd serves a built-in connector to the service that started this process.
type connectorCmd struct {
	Name     string   `arg:"" help:"Built-in connector."`
	Mappings []string `name:"mapping" sep:"none" help:"Mapping file beside the built-in ones."`
}

// Run serves until the service that started the process ends it.
func (c connectorCmd) Run(*program) error {
	open := connectors.Table()[c.Name]
	if open == nil {
		return hunt.Errorf(hunt.BadConfig, "no connector %q", c.Name)
	}
	return sdk.Serve(sdk.Plugin{Name: c.Name, Version: version, Open: func(ctx context.Context, s sdk.Setup) (hunt.Connector, error) {
		cfg := defaultConfig()
		cfg.Mappings = c.Mappings
		set, err := loadMappings(cfg)
		if err != nil {
			return nil, err
		}
		return open(ctx, connectors.Setup{ID: s.ID, Decode: s.Decode, Path: s.Path, Secret: s.Secret, Mappings: set})
	}})
}
