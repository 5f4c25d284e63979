package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/harrier-xdr/harrier/connectors"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/mapping/strictyaml"
	"github.com/harrier-xdr/harrier/plugins/host"
)

// Config is the configuration file. Decoding is strict: an unknown key or a wrong type is an error with file, line and column, and
// nothing is started.
type Config struct {
	Listen      string             `yaml:"listen"`     // host:port; loopback by default
	State       string             `yaml:"state"`      // folder of what the service keeps
	LogLevel    string             `yaml:"log_level"`  // trace, debug, info, warn, error
	Deadline    string             `yaml:"deadline"`   // how long each source of a hunt may take, such as 60s
	MemoryMB    int                `yaml:"memory_mb"`  // of the events of all hunts that are on their way, in MiB
	CacheMB     int                `yaml:"cache_mb"`   // of complete answers that are kept to be given again, in MiB; 0 keeps none
	Mappings    []string           `yaml:"mappings"`   // mapping files beside the built-in ones
	Principals  []PrincipalConfig  `yaml:"principals"` // who may ask
	Connections []ConnectionConfig `yaml:"connections"`

	file     string
	deadline time.Duration
}

// PrincipalConfig is somebody who may ask.
type PrincipalConfig struct {
	Name    string   `yaml:"name"`
	Token   string   `yaml:"token"` // hashed, as `harrier token` prints it; never the token itself
	Tenants []string `yaml:"tenants"`
}

// ConnectionConfig is a connection of a tenant to a source.
type ConnectionConfig struct {
	Name      string   `yaml:"name"`
	Tenant    string   `yaml:"tenant"`
	Connector string   `yaml:"connector"` // a built-in one, or plugin
	Settings  settings `yaml:"settings"`
	// Isolation is process if a built-in connector is to run in a process of its own: a crash of it, or of the native code below it,
	// ends its searches and not the service.
	Isolation string      `yaml:"isolation"`
	Process   host.Config `yaml:"process"` // how that process runs; of a plugin, also which executable it is

	line int
}

// Words of the configuration.
const (
	pluginConnector  = "plugin"
	isolationProcess = "process"
)

// settings are decoded by the connector that they are for.
type settings struct{ node ast.Node }

// text is the settings as one YAML document, nil if there are none.
func (s settings) text() []byte {
	if s.node == nil {
		return nil
	}
	return []byte(s.node.String())
}

// line is where they begin, 0 if there are none.
func (s settings) line() int {
	if s.node == nil {
		return 0
	}
	return s.node.GetToken().Position.Line
}

// UnmarshalYAML keeps the node.
func (s *settings) UnmarshalYAML(n ast.Node) error {
	s.node = n
	return nil
}

// UnmarshalYAML decodes strictly and remembers the line for later messages.
func (c *ConnectionConfig) UnmarshalYAML(n ast.Node) error {
	type plain ConnectionConfig
	c.line = n.GetToken().Position.Line
	return yaml.NodeToValue(n, (*plain)(c), yaml.Strict())
}

// defaultConfig works with nothing configured: loopback only, nobody let in, no source.
func defaultConfig() *Config {
	return &Config{Listen: "127.0.0.1:8080", State: "harrier-state", LogLevel: "info", Deadline: "60s", MemoryMB: 1024}
}

// loadConfig reads a configuration file. Paths in it are relative to the file.
func loadConfig(file string) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, configError(file, "cannot be read: %v", unwrapPath(err))
	}
	c := defaultConfig()
	c.file = file
	if err := strictyaml.Decode(text, c); err != nil {
		return nil, configError(file, "%s", strictyaml.Message(err))
	}
	return c, c.check()
}

// unwrapPath drops the path that os puts into its errors: the message has it already.
func unwrapPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func configError(source, format string, args ...any) error {
	return &hunt.Error{Op: "config", Source: source, Code: hunt.BadConfig, Message: fmt.Sprintf(format, args...)}
}

// check refuses what decodes but cannot be meant.
func (c *Config) check() error {
	var err error
	if c.deadline, err = time.ParseDuration(c.Deadline); err != nil || c.deadline <= 0 {
		return configError(c.file, "deadline: %q is no duration such as 60s", c.Deadline)
	}
	for _, p := range c.Principals {
		if p.Name == "" || len(p.Tenants) == 0 {
			return configError(c.file, "principals: each needs a name and at least one tenant")
		}
	}
	seen := map[hunt.ConnectionRef]bool{}
	for i := range c.Connections {
		if err := c.checkConnection(&c.Connections[i], seen); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkConnection(n *ConnectionConfig, seen map[hunt.ConnectionRef]bool) error {
	ref := hunt.ConnectionRef{Tenant: n.Tenant, Connection: n.Name}
	where := fmt.Sprintf("%s: line %d", c.file, n.line)
	switch {
	case !validName(n.Name) || !validName(n.Tenant):
		return configError(where, "a connection needs a name and a tenant, of letters, digits, dots, dashes and underscores")
	case seen[ref]:
		return configError(where, "the connection %s is there twice", ref)
	case n.Connector != pluginConnector && connectors.Table()[n.Connector] == nil:
		return configError(where, "no connector %q; there are %s and plugin", n.Connector, strings.Join(slices.Sorted(maps.Keys(connectors.Table())), ", "))
	case n.Isolation != "" && n.Isolation != isolationProcess:
		return configError(where, "isolation %q is not known; leave it out or say process", n.Isolation)
	}
	if err := c.checkProcess(n); err != nil {
		return configError(where, "%v", err)
	}
	seen[ref] = true
	return nil
}

// validName says whether a tenant or connection can have the name: it stands in paths and before slashes.
func validName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_')
	})
}

// setup is what a connector of the configuration is opened with.
func (c *Config) setup(n *ConnectionConfig, set *mapping.Set) connectors.Setup {
	return connectors.Setup{ID: hunt.Identity{Tenant: n.Tenant, Connection: n.Name}, Decode: c.decoder(n), Path: c.path, Secret: c.secret, Mappings: set}
}

// secretReader reads the secrets of one opening and remembers whether one was not there.
type secretReader struct {
	config  *Config
	missing *hunt.Error // nil if none
}

func (r *secretReader) read(ref string) (string, error) {
	value, err := r.config.secret(ref)
	if err == nil {
		return value, nil
	}
	if e := hunt.AsError(err, hunt.BadConfig); e.Code == hunt.SourceDenied {
		r.missing = e
	}
	return "", err
}

// secret reads a secret that settings name: env:NAME is a variable of the environment, file:PATH the first line of a file. The
// settings never hold the secret itself, and no error does. One that is not there is SOURCE_DENIED, what is no reference BAD_CONFIG.
func (c *Config) secret(ref string) (string, error) {
	kind, name, _ := strings.Cut(ref, ":")
	switch {
	case kind == "env" && name != "":
		if v := os.Getenv(name); v != "" {
			return v, nil
		}
		return "", c.noSecret("the secret env:%s is not there: set the variable %[1]s and start again", name)
	case kind == "file" && name != "":
		text, err := os.ReadFile(c.path(name))
		if err != nil {
			return "", c.noSecret("the secret file:%s cannot be read: %v", name, unwrapPath(err))
		}
		line, _, _ := strings.Cut(string(text), "\n")
		if line = strings.TrimRight(line, "\r"); line != "" {
			return line, nil
		}
		return "", c.noSecret("the secret file:%s is empty: its first line must be the secret", name)
	}
	return "", configError(c.file, "a secret must be given as env:NAME or file:PATH, never as itself")
}

func (c *Config) noSecret(format string, args ...any) error {
	return &hunt.Error{Op: "config", Source: c.file, Code: hunt.SourceDenied, Message: fmt.Sprintf(format, args...), Retryable: true}
}

// decoder returns the function that decodes a connection's settings, with paths relative to the configuration file.
func (c *Config) decoder(n *ConnectionConfig) func(any) error {
	return func(into any) error {
		if n.Settings.node == nil {
			return nil
		}
		if err := yaml.NodeToValue(n.Settings.node, into, yaml.Strict()); err != nil {
			return configError(c.file, "%s", strictyaml.Message(err))
		}
		return nil
	}
}

// path makes a path of the configuration relative to its file.
func (c *Config) path(p string) string {
	if p == "" || filepath.IsAbs(p) || c.file == "" {
		return p
	}
	return filepath.Join(filepath.Dir(c.file), p)
}
