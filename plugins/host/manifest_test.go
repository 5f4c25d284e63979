package host_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/host"
)

func TestManifest(t *testing.T) {
	folder := t.TempDir()
	executable := filepath.Join(folder, "acme")
	if m, err := host.Manifest(executable); m != nil || err != nil {
		t.Errorf("without a file: %v, %v", m, err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(folder, "plugin.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`name: acme
version: 1.4.0
protocol: 1
description: Acme SIEM
settings:
  - name: token
    type: secret
    required: true
    description: API token
environment: [HTTPS_PROXY]
egress: ["*.acme.example:443"]
`)
	want := &host.Plugin{
		Name: "acme", Version: "1.4.0", Protocol: 1, Description: "Acme SIEM", Environment: []string{"HTTPS_PROXY"}, Egress: []string{"*.acme.example:443"},
		Settings: []host.SettingManifest{{Name: "token", Type: "secret", Required: true, Description: "API token"}},
	}
	if m, err := host.Manifest(executable); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, %v", m, err)
	}
	for text, problem := range map[string]string{
		"name: acme\nversion: 1\nprotocol: 1\negres: []\n": "line 4, column 1",
		"name: acme\n":                         "version",
		"name: a\nversion: 1\nprotocol: one\n": "line 3",
		"name: a\nversion: 1\nprotocol: 1\nsettings: [{name: x, type: blob}]": "types",
		"": "one YAML document",
	} {
		write(text)
		_, err := host.Manifest(executable)
		wantError(t, err, hunt.BadConfig, problem, "plugin.yaml")
	}
}

// TestAManifestThatIsNoFile: what would never end, or is too much, is refused at once.
func TestAManifestThatIsNoFile(t *testing.T) {
	for problem, make := range map[string]func(name string) error{
		"no file":        func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"it is no file":  func(name string) error { return os.Mkdir(name, 0o700) },
		"is no file":     func(name string) error { return os.Symlink("/dev/zero", name) },
		"1048576 bytes":  func(name string) error { return os.WriteFile(name, bytes.Repeat([]byte{'#'}, 1<<20+1), 0o600) },
		"cannot be read": func(name string) error { return os.Symlink(filepath.Base(name), name) },
	} {
		folder := t.TempDir()
		if err := make(filepath.Join(folder, "plugin.yaml")); err != nil {
			t.Fatal(err)
		}
		_, err := host.Manifest(filepath.Join(folder, "acme"))
		wantError(t, err, hunt.BadConfig, problem, "plugin.yaml")
	}
}

func TestAManifestOfAnotherExecutable(t *testing.T) {
	served := hunt.Artifact{Name: "acme", Version: "1.4.0", Protocol: 1}
	for _, c := range []struct {
		manifest host.Plugin
		differs  string
	}{
		{host.Plugin{Name: "acme", Version: "1.4.0", Protocol: 1}, ""},
		{host.Plugin{Name: "okta", Version: "1.4.0", Protocol: 1}, "plugin okta"},
		{host.Plugin{Name: "acme", Version: "1.5.0", Protocol: 1}, "version 1.5.0"},
		{host.Plugin{Name: "acme", Version: "1.4.0", Protocol: 2}, "protocol version 2"},
	} {
		if got := c.manifest.Differs(&served); !strings.Contains(got, c.differs) || (got == "") != (c.differs == "") {
			t.Errorf("%+v differs: %q, want %q", c.manifest, got, c.differs)
		}
	}
}
