package host

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// Config says which executable serves a connection and how it runs.
type Config struct {
	Path string   `yaml:"path"` // of the executable; a relative one is relative to the working folder of the host
	Args []string `yaml:"args"` // its arguments
	// Checksum pins the executable: "sha256:" and 64 hex digits. It is compared at every start; the empty one pins nothing. Of a script it
	// pins the script alone, not what interprets it.
	Checksum string `yaml:"checksum"`
	// Env lists what the process finds in its environment; of the host's it gets nothing else. NAME passes the host's variable on;
	// NAME=env:OTHER and NAME=file:PATH hand over a secret.
	Env      []string `yaml:"env"`
	Dir      string   `yaml:"dir"`       // working folder of the process; the host's if empty
	MemoryMB int      `yaml:"memory_mb"` // most memory in MiB; 0 for no limit
	CPUs     float64  `yaml:"cpus"`      // most CPUs, such as 0.5; 0 for no limit
	// Cgroup is a cgroup v2 folder below which the host may make groups; empty for the host's own group. Where it cannot, resource limits
	// of the process are used; Artifact.Confined says what came of it.
	Cgroup string `yaml:"cgroup"`
}

// Setup is the connection that the process serves.
type Setup struct {
	ID           hunt.Identity
	Settings     []byte // one YAML document; empty for none
	SettingsFile string // file that they stand in, for messages
	SettingsLine int    // line of it where they begin, from 1; 0 if not known
	BaseFolder   string // what relative paths of the settings are relative to
	// Secret reads a secret by its reference (env:NAME, file:PATH). The host asks for those that the settings and Config.Env name and
	// hands them to the plugin; nil if there are none. Its errors must not hold the secret.
	Secret func(ref string) (string, error)
	// Log is called with what the process writes to its standard error and output, a line of at most 4 KiB at a time, from several
	// goroutines. level is debug, info, warn or error. Lines above a rate are dropped, and how many is said. nil to discard.
	Log      func(level, line string)
	Timeouts Timeouts
}

// Timeouts bound what a process may take; 0 stands for the default.
type Timeouts struct {
	Start time.Duration // until the handshake: 10s
	Call  time.Duration // a translation, and what else has no deadline of its own: 10s
	Hang  time.Duration // without an answer to a health check, after which the process is ended: 30s
	Stop  time.Duration // closing the connection and ending, after which the process is killed: 5s
	Delay time.Duration // before the second restart in a row; it doubles up to 100 times that: 250ms
}

func (t Timeouts) withDefaults() Timeouts {
	return Timeouts{
		Start: cmp.Or(t.Start, 10*time.Second), Call: cmp.Or(t.Call, 10*time.Second), Hang: cmp.Or(t.Hang, 30*time.Second),
		Stop: cmp.Or(t.Stop, 5*time.Second), Delay: cmp.Or(t.Delay, 250*time.Millisecond),
	}
}

// Open starts the process and opens the connection in it; ctx bounds that alone. The error is a *hunt.Error: BAD_CONFIG for a
// configuration that cannot be, PLUGIN_REFUSED for an executable that is not there, not the pinned one, does not run here or does not
// speak the protocol, PLUGIN_CRASHED for a process that ended, or what the connector itself fails with. The connector must be closed.
func Open(ctx context.Context, c Config, s Setup) (hunt.Connector, error) {
	s.Timeouts = s.Timeouts.withDefaults()
	out, err := newConnector(c, s)
	if err != nil {
		return nil, err
	}
	if _, err := out.session(ctx); err != nil {
		_ = out.Close()
		return nil, out.locate("open", err)
	}
	return out, nil
}

// newConnector checks what can be checked without starting anything, and reads the secrets.
func newConnector(c Config, s Setup) (*connector, error) {
	if c.Path == "" {
		return nil, hunt.Errorf(hunt.BadConfig, "plugin: path is missing; it names the executable")
	}
	if c.MemoryMB < 0 || c.CPUs < 0 {
		return nil, hunt.Errorf(hunt.BadConfig, "plugin: memory_mb and cpus must not be negative")
	}
	if _, ok := strings.CutPrefix(c.Checksum, checksumPrefix); c.Checksum != "" && (!ok || len(c.Checksum) != len(checksumPrefix)+64) {
		return nil, hunt.Errorf(hunt.BadConfig, "plugin: checksum must be sha256: and 64 hex digits")
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, hunt.Errorf(hunt.BadConfig, "plugin: %w", err)
	}
	c.Path = path
	out := &connector{config: c, setup: s, secrets: &secrets{read: s.Secret}}
	if out.env, err = out.secrets.environment(c.Env); err != nil {
		return nil, err
	}
	out.handed = out.secrets.ofSettings(s.Settings)
	out.life, out.end = context.WithCancel(context.Background())
	return out, nil
}
