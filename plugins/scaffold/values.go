package scaffold

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
)

// values is what the templates know.
type values struct {
	Name, Module, Version, Replace string
	ReplaceLiteral                 string   // Replace as go.mod writes it
	EnvName                        string   // Name as a part of the names of variables
	Requirements                   []string // modules and versions of the checkout, so that the project builds as it is
}

const (
	mostName   = 40  // bytes of a name
	mostModule = 200 // bytes of a module path
)

// values checks the options.
func (o Options) values() (values, error) {
	v := values{Name: o.Name, Module: cmp.Or(o.Module, "example.com/"+o.Name), Version: cmp.Or(o.Version, "v0.0.0")}
	if err := checkName(o.Name); err != nil {
		return v, err
	}
	if err := checkModule(v.Module); err != nil {
		return v, err
	}
	if err := checkVersion(v.Version); err != nil {
		return v, err
	}
	if o.Version == "" && o.Replace == "" {
		return v, hunt.Errorf(hunt.BadUserInput, "name the version of Harrier that the plugin requires, or a checkout of it")
	}
	if o.Replace != "" {
		folder, err := filepath.Abs(o.Replace)
		if err != nil {
			return v, hunt.Errorf(hunt.BadUserInput, "the checkout %s: %w", strconv.Quote(o.Replace), err)
		}
		v.Replace, v.ReplaceLiteral = folder, literal(filepath.ToSlash(folder))
		if v.Requirements, err = requirements(folder); err != nil {
			return v, err
		}
	}
	v.EnvName = strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
	return v, nil
}

// literal writes a path as go.mod takes it: quoted if it has characters that end a word there.
func literal(folder string) string {
	if strings.ContainsAny(folder, " \t\"'`(),") || strings.Contains(folder, "//") {
		return strconv.Quote(folder)
	}
	return folder
}

// requirements reads the modules and versions that the go.mod of a checkout of Harrier requires.
func requirements(checkout string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(checkout, "go.mod"))
	if err != nil || !strings.HasPrefix(string(text), "module github.com/harrier-xdr/harrier\n") {
		return nil, hunt.Errorf(hunt.BadUserInput, "%s is no checkout of Harrier: it has no go.mod that says so", strconv.Quote(checkout))
	}
	var out []string
	inside := false
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "require" && words[1] == "(":
			inside = true
		case len(words) > 0 && words[0] == ")":
			inside = false
		case inside && len(words) >= 2 && words[0] != "//":
			out = append(out, words[0]+" "+words[1])
		}
	}
	return out, nil
}

// checkName refuses names that are no executable, no part of a module path or no name of a mapping everywhere.
func checkName(name string) error {
	refuse := func(format string, args ...any) error {
		return hunt.Errorf(hunt.BadUserInput, "the name "+strconv.Quote(name)+" "+format+"; use small letters, digits and hyphens, such as acme-siem", args...)
	}
	for i := range len(name) {
		c := name[i]
		small, digit := 'a' <= c && c <= 'z', '0' <= c && c <= '9'
		switch {
		case i == 0 && !small:
			return refuse("must begin with a small letter")
		case !small && !digit && c != '-':
			return refuse("has the character %q at position %d", []rune(name[i:])[0], i+1)
		case c == '-' && name[i-1] == '-':
			return refuse("has two hyphens at position %d", i)
		}
	}
	switch {
	case name == "":
		return refuse("is empty")
	case len(name) > mostName:
		return refuse("has %d characters; %d are the most", len(name), mostName)
	case name[len(name)-1] == '-':
		return refuse("ends with a hyphen")
	case name == "connector" || name == "vendortest":
		return refuse("is that of a folder of every project")
	}
	return nil
}

// checkModule refuses what is no module path (https://go.dev/ref/mod, "Module paths").
func checkModule(module string) error {
	refuse := func(format string, args ...any) error {
		return hunt.Errorf(hunt.BadUserInput, "the module path "+strconv.Quote(module)+" "+format+"; such as example.com/acme-siem", args...)
	}
	if len(module) > mostModule {
		return refuse("has %d characters; %d are the most", len(module), mostModule)
	}
	at := 1
	for element := range strings.SplitSeq(module, "/") {
		for i, r := range element {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", r) {
				return refuse("has the character %q at position %d", r, at+i)
			}
		}
		if element == "" || element[0] == '.' || element[len(element)-1] == '.' {
			return refuse("has an element at position %d that is empty or begins or ends with a dot", at)
		}
		at += len(element) + 1
	}
	if module == "github.com/harrier-xdr/harrier" || strings.HasPrefix(module, "github.com/harrier-xdr/harrier/") {
		return refuse("is Harrier's own")
	}
	return nil
}

// checkVersion refuses what go.mod does not take for a version.
func checkVersion(version string) error {
	rest, ok := strings.CutPrefix(version, "v")
	numbers, _, _ := strings.Cut(rest, "-")
	parts := strings.Split(numbers, ".")
	ok = ok && len(parts) == 3 && !strings.ContainsAny(version, " \t\r\n\"")
	for _, p := range parts {
		_, err := strconv.ParseUint(p, 10, 32)
		ok = ok && err == nil
	}
	if !ok {
		return hunt.Errorf(hunt.BadUserInput, "%s is no version of Harrier; such as v1.2.0", strconv.Quote(version))
	}
	return nil
}
