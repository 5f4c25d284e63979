package scaffold_test

import (
	"bytes"
	"context"
	"errors"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance"
	"github.com/harrier-xdr/harrier/plugins/host"
	"github.com/harrier-xdr/harrier/plugins/scaffold"
)

// checkout returns the root of this module.
func checkout(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the tests do not run within the module")
		}
		dir = filepath.Dir(dir)
	}
}

// project writes a project that is built with this checkout.
func project(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if _, err := scaffold.Write(dir, scaffold.Options{Name: name, Replace: checkout(t)}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs the go tool in a project, without the network and with no flags but the author's.
func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go tool is not there; install Go to build the project that is written")
	}
	cmd := exec.CommandContext(t.Context(), tool, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestProjectWorks builds a new project, runs its tests and checks the executable as `harrier plugin check` does, as it is.
func TestProjectWorks(t *testing.T) {
	dir := project(t, "acme-siem")
	run(t, dir, "vet", "./...")
	run(t, dir, "build", "-o", "acme-siem", ".")
	if m, err := host.Manifest(filepath.Join(dir, "acme-siem")); err != nil || m == nil || len(m.Egress) == 0 {
		t.Errorf("the manifest is %+v, %v", m, err)
	}
	settings, err := os.ReadFile(filepath.Join(dir, "demo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("check", func(t *testing.T) { survey(t, filepath.Join(dir, "acme-siem"), settings) })
	t.Run("test", func(t *testing.T) {
		if testing.Short() {
			t.Skip("the project's own conformance suite takes a while")
		}
		run(t, dir, append(append([]string{"test"}, raceFlag()...), "./...")...)
	})
}

// survey runs every behaviour over the executable.
func survey(t *testing.T, path string, settings []byte) {
	open := func(ctx context.Context) (hunt.Connector, error) {
		return host.Open(ctx, host.Config{Path: path}, host.Setup{ID: conformance.Identity(), Settings: settings, SettingsFile: "demo.yaml", SettingsLine: 1})
	}
	session, err := conformance.Suite{Connect: open}.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close() //nolint:errcheck // Close has a behaviour of its own
	ofThePlugin(t, path, open)
	for _, b := range conformance.Behaviours() {
		r := session.Check(t.Context(), b.Name)
		for _, err := range r.Problems {
			t.Errorf("%s: %v", b.Name, err)
		}
		if slices.ContainsFunc(r.Notes, func(note string) bool { return strings.Contains(note, "holds no events") }) {
			t.Errorf("%s: the demo has a stream without events: %q", b.Name, r.Notes)
		}
	}
}

// ofThePlugin holds that the host takes the manifest for that of the executable.
func ofThePlugin(t *testing.T, path string, open func(context.Context) (hunt.Connector, error)) {
	c, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // Close has a behaviour of its own
	m, err := host.Manifest(path)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := c.Describe(t.Context()); err != nil || !slices.Equal(d.Artifact.Egress, m.Egress) {
		t.Errorf("described %+v, %v; the manifest says %q", d, err, m.Egress)
	}
}

// TestEveryFile looks at the files of a project with other names than the templates were written with.
func TestEveryFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	o := scaffold.Options{Name: "z9", Module: "git.example.org/team/siem-connector/v2", Version: "v1.2.3-rc.1"}
	names, err := scaffold.Write(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"go.mod", "main.go", "README.md", "plugin.yaml", ".gitignore", "connector/mapping.yaml", "connector/testdata/translate.golden", "vendortest/server.go"} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no %s among %q", want, names)
		}
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("[[.")) || bytes.Contains(text, []byte("acme")) && name != "README.md" {
			t.Errorf("%s holds what a template should have filled in", name)
		}
		if strings.HasSuffix(name, ".go") {
			if tidy, err := format.Source(text); err != nil || !bytes.Equal(tidy, text) {
				t.Errorf("%s is not as gofmt writes it: %v", name, err)
			}
		}
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	want := "module git.example.org/team/siem-connector/v2\n\ngo 1.26.0\n\nrequire github.com/harrier-xdr/harrier v1.2.3-rc.1\n"
	if err != nil || string(mod) != want {
		t.Errorf("go.mod is\n%s", mod)
	}
}

func TestRefusals(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	here := checkout(t)
	for says, c := range map[string]struct {
		dir string
		o   scaffold.Options
	}{
		`not empty (it holds "notes.txt")`:                {full, scaffold.Options{Name: "acme", Replace: here}},
		"no folder that can be read":                      {filepath.Join(full, "notes.txt"), scaffold.Options{Name: "acme", Replace: here}},
		`"" is empty`:                                     {"", scaffold.Options{Replace: here}},
		`"Acme" must begin with a small letter`:           {"", scaffold.Options{Name: "Acme", Replace: here}},
		`"acme_siem" has the character '_' at position 5`: {"", scaffold.Options{Name: "acme_siem", Replace: here}},
		`'é' at position 5`:                               {"", scaffold.Options{Name: "acmeé", Replace: here}},
		`two hyphens at position 2`:                       {"", scaffold.Options{Name: "a--b", Replace: here}},
		`ends with a hyphen`:                              {"", scaffold.Options{Name: "acme-", Replace: here}},
		`has 41 characters`:                               {"", scaffold.Options{Name: strings.Repeat("a", 41), Replace: here}},
		`folder of every project`:                         {"", scaffold.Options{Name: "connector", Replace: here}},
		`' ' at position 12`:                              {"", scaffold.Options{Name: "acme", Module: "example.com x", Replace: here}},
		`at position 13 that is empty`:                    {"", scaffold.Options{Name: "acme", Module: "example.com//x", Replace: here}},
		`Harrier's own`:                                   {"", scaffold.Options{Name: "acme", Module: "github.com/harrier-xdr/harrier/acme", Replace: here}},
		`no version of Harrier`:                           {"", scaffold.Options{Name: "acme", Version: "latest"}},
		`name the version`:                                {"", scaffold.Options{Name: "acme"}},
		`no checkout of Harrier`:                          {"", scaffold.Options{Name: "acme", Replace: full}},
	} {
		dir := c.dir
		if dir == "" {
			dir = filepath.Join(t.TempDir(), "new")
		}
		names, err := scaffold.Write(dir, c.o)
		if e := hunt.AsError(err, ""); err == nil || e.Code != hunt.BadUserInput || !strings.Contains(e.Message, says) || len(names) > 0 {
			t.Errorf("%+v: %v, want %q", c.o, err, says)
		}
		if _, err := os.Stat(dir); c.dir == "" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: something was written", says)
		}
	}
}
