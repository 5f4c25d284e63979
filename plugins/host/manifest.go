package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping/strictyaml"
	"github.com/harrier-xdr/harrier/plugins/protocol"
)

// Plugin is what the author of a plugin says about it, in a file plugin.yaml beside the executable. It is for the people who install
// the plugin: nothing is enforced from it, and what the process says of itself counts.
type Plugin struct {
	Name        string            `yaml:"name"`
	Version     string            `yaml:"version"`
	Protocol    int               `yaml:"protocol"`
	Description string            `yaml:"description"`
	Settings    []SettingManifest `yaml:"settings"`
	Environment []string          `yaml:"environment"` // variables that it needs, for Config.Env
	Egress      []string          `yaml:"egress"`      // hosts that it talks to, such as "*.example.com:443"
}

// SettingManifest describes one setting of a plugin.
type SettingManifest struct {
	Name        string `yaml:"name"`
	Type        string `yaml:"type"` // text, number, boolean, duration, list, secret
	Required    bool   `yaml:"required"`
	Default     string `yaml:"default"`
	Description string `yaml:"description"`
}

// manifestName is the name of the file.
const manifestName = "plugin.yaml"

// maxManifest is the largest manifest that is read.
const maxManifest = 1 << 20

// Manifest reads the manifest beside the executable at path; nil if there is none. Unknown keys are refused. The error is a *hunt.Error
// with code BAD_CONFIG and has line and column.
func Manifest(path string) (*Plugin, error) {
	file := filepath.Join(filepath.Dir(path), manifestName)
	bad := func(format string, args ...any) error {
		e := hunt.Errorf(hunt.BadConfig, format, args...)
		e.Op, e.Source = "plugin: manifest", file
		return e
	}
	text, err := manifestText(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, bad("it cannot be read: %w", err)
	}
	var m Plugin
	if err := strictyaml.Decode(text, &m); err != nil {
		return nil, bad("%s", strictyaml.Message(err))
	}
	if problem := m.check(); problem != "" {
		return nil, bad("%s", problem)
	}
	return &m, nil
}

// manifestText reads a manifest. What is no file is refused before it is read: a pipe would never end.
func manifestText(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("it is no file"))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err == nil && len(text) > maxManifest {
		err = fmt.Errorf("it has more than %d bytes", maxManifest)
	}
	return text, err
}

// Differs says in what a manifest is not of the executable that serves a connection, by what that says of itself; "" if it is.
func (m *Plugin) Differs(a *hunt.Artifact) string {
	switch {
	case m.Name != a.Name:
		return fmt.Sprintf("it is of the plugin %s; the executable says that it is %s", protocol.Line(m.Name), a.Name)
	case m.Version != a.Version:
		return fmt.Sprintf("it is of version %s; the executable says that it is %s", protocol.Line(m.Version), a.Version)
	case m.Protocol != a.Protocol:
		return fmt.Sprintf("it is of protocol version %d; the executable speaks %d", m.Protocol, a.Protocol)
	}
	return ""
}

// check says what a manifest lacks, "" if nothing.
func (m *Plugin) check() string {
	if m.Name == "" || m.Version == "" || m.Protocol < 1 {
		return "name, version and protocol are needed"
	}
	for _, s := range m.Settings {
		if s.Name == "" || !strings.Contains(" text number boolean duration list secret ", " "+s.Type+" ") {
			return "setting " + protocol.Line(s.Name) + " needs a name and one of the types text, number, boolean, duration, list, secret"
		}
	}
	return ""
}
