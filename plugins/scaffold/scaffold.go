package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/harrier-xdr/harrier/hunt"
)

// Options says what project to write.
type Options struct {
	Name    string // of the plugin and its executable: small letters, digits and hyphens, such as acme-siem
	Module  string // Go module path of the project; example.com/NAME if empty
	Version string // of Harrier that the project requires, such as v1.2.0; v0.0.0 if empty, which only Replace makes sense of
	Replace string // folder of a checkout of Harrier to build with instead of a published version; empty for none
}

//go:embed template
var templates embed.FS

const (
	root   = "template"
	suffix = ".tmpl"
)

// Write writes a project into a folder, which must be new or empty, and returns the files it wrote, relative to the folder, in order.
// With Options.Replace the checksums of the checkout's modules are taken along, so that the project builds without the network. The error
// is a *hunt.Error: BAD_USER_INPUT for an option that cannot be or a folder that holds something, with nothing written; INTERNAL if a
// file cannot be written.
func Write(dir string, o Options) ([]string, error) {
	v, err := o.values()
	if err == nil {
		err = refuseFull(dir)
	}
	if err != nil {
		return nil, located(dir, err)
	}
	files, err := render(v)
	if err == nil && v.Replace != "" {
		err = addSums(files, v.Replace)
	}
	if err != nil {
		return nil, located(dir, err)
	}
	var names []string
	for _, f := range files.list {
		if err := save(filepath.Join(dir, filepath.FromSlash(f.name)), f.text); err != nil {
			return names, located(dir, err)
		}
		names = append(names, f.name)
	}
	return names, nil
}

// located makes a *hunt.Error that names the folder.
func located(dir string, err error) *hunt.Error {
	out := hunt.AsError(err, hunt.Internal)
	out.Op, out.Source = "plugin new", dir
	return out
}

// refuseFull refuses a folder that holds something: nothing of an author is written over.
func refuseFull(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return hunt.Errorf(hunt.BadUserInput, "it is no folder that can be read; name another one")
	case len(entries) > 0:
		return hunt.Errorf(hunt.BadUserInput, "the folder is not empty (it holds %s); name a new one", strconv.Quote(entries[0].Name()))
	}
	return nil
}

// file is a file of the project; name has slashes.
type file struct {
	name string
	text []byte
}

type files struct{ list []file }

func (f *files) add(name string, text []byte) { f.list = append(f.list, file{name, text}) }

// render fills the templates in.
func render(v values) (*files, error) {
	out := &files{}
	err := fs.WalkDir(templates, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		source, err := templates.ReadFile(name)
		if err != nil {
			return err
		}
		t, err := template.New(name).Delims("[[", "]]").Option("missingkey=error").Parse(string(source))
		if err != nil {
			return err
		}
		var text bytes.Buffer
		if err := t.Execute(&text, v); err != nil {
			return err
		}
		out.add(target(name), text.Bytes())
		return nil
	})
	return out, err
}

// target is the name of a template's file in the project. Files that begin with a dot have none in the template, where Go would not embed
// them.
func target(name string) string {
	name = strings.TrimSuffix(strings.TrimPrefix(name, root+"/"), suffix)
	if path.Base(name) == "gitignore" {
		return path.Join(path.Dir(name), ".gitignore")
	}
	return name
}

// addSums takes the checksums of a checkout along.
func addSums(f *files, checkout string) error {
	sums, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	if err != nil {
		return hunt.Errorf(hunt.BadUserInput, "%s is no checkout of Harrier: it has no go.sum", checkout)
	}
	f.add("go.sum", sums)
	return nil
}

func save(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // a project is for others to read
		return fmt.Errorf("the folder cannot be made: %w", err)
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // as above
	if err != nil {
		return fmt.Errorf("the file cannot be written: %w", err)
	}
	_, err = out.Write(text)
	return errors.Join(err, out.Close())
}
