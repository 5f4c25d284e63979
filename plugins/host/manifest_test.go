package host_test

import (
	"os"
	"path/filepath"
	"reflect"
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
