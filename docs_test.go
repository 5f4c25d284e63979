package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/plugins/example/okta"
)

// blocks returns the fenced blocks of a language in a document.
func blocks(t *testing.T, file, language string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		out = append(out, m[1])
	}
	if len(out) == 0 {
		t.Fatalf("%s shows no %s", file, language)
	}
	return out
}

func TestReadmeHuntGivesItsAnswer(t *testing.T) {
	s := serveDemo(t)
	var got, want any
	if err := json.Unmarshal([]byte(s.ask(t, blocks(t, "README.md", "graphql")[0], nil)), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(blocks(t, "README.md", "json")[0]), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		raw, _ := json.Marshal(got)
		t.Errorf("the hunt of the README answers\n%s", raw)
	}
}

// TestDocumentedConfigurations: every configuration of the README is one, down to the settings of its connections.
func TestDocumentedConfigurations(t *testing.T) {
	for _, text := range blocks(t, "README.md", "yaml") {
		cfg, err := loadConfig(write(t, t.TempDir(), "harrier.yaml", text))
		if err != nil {
			t.Fatal(err)
		}
		for i := range cfg.Connections {
			n := &cfg.Connections[i]
			into := map[string]any{"files": &files.Config{}, "lake": &lake.Config{}, "elastic": &elastic.Config{}, "plugin": &okta.Config{}}[n.Connector]
			if err := cfg.decoder(n)(into); err != nil {
				t.Errorf("%s: %v", n.Name, err)
			}
		}
	}
}

// TestDocumentedCommands runs every command of the README in a folder that is laid out as it says; `make` targets must exist, and
// `serve` must accept its configuration.
func TestDocumentedCommands(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	commands := blocks(t, "README.md", "sh")
	conf := blocks(t, "README.md", "yaml")[0]
	dir, _ := written(t)
	for from, to := range map[string]string{"network": "logs/network", "cloud": "logs/cloud", "endpoint": "logs/endpoint"} {
		if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	write(t, dir, "harrier.yaml", strings.Replace(conf, "127.0.0.1:8080", "127.0.0.1:0", 1))
	for _, block := range commands {
		for line := range strings.Lines(block) {
			line, _, _ = strings.Cut(line, "   #")
			args := words(t, strings.TrimSpace(line))
			switch {
			case len(args) == 0:
			case args[0] == "make":
				if !regexp.MustCompile("(?m)^" + args[1] + ":").Match(makefile) {
					t.Errorf("%s: the Makefile has no such target", line)
				}
			case args[0] == "harrier" && args[1] == "serve":
				if _, err := loadConfig(args[3]); err != nil {
					t.Errorf("%s: %v", line, err)
				}
			case args[0] == "harrier":
				if status, out, errs := run(t, args[1:]...); status != 0 {
					t.Errorf("%s: status %d\n%s%s", line, status, out, errs)
				}
			default:
				t.Errorf("%s: no such program", line)
			}
		}
	}
}

// words splits a command line at blanks outside of single quotes.
func words(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}

func TestReadmeTokenIsOfTheDocumentedForm(t *testing.T) {
	conf := blocks(t, "README.md", "yaml")[0]
	if err := access.NewTokens().Add(regexp.MustCompile(`sha256:[0-9a-f]+`).FindString(conf), &access.Principal{}); err != nil {
		t.Error(err)
	}
}
