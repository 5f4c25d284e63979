package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one line of `go test -json`; `go doc test2json` describes it.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
	// FailedBuild names the package whose build failed, if that is the reason.
	FailedBuild string
}

// outcome is what became of one test, or of a package where the name is empty.
type outcome struct {
	pkg, name string
	action    string // pass, fail, skip; empty while it runs
	output    []string
}

type key struct{ pkg, test string }

// counter gathers events. Output is kept per test only until the test passes.
type counter struct {
	out    io.Writer
	tests  map[key]*outcome
	builds map[string][]string
}

func newCounter(out io.Writer) *counter {
	return &counter{out: out, tests: map[key]*outcome{}, builds: map[string][]string{}}
}

// line takes one line of input. What is no event, such as a message of the go
// command itself, is shown as it is.
func (c *counter) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		fmt.Fprintf(c.out, "%s\n", strings.TrimRight(string(line), "\r\n"))
		return
	}
	switch e.Action {
	case "build-output":
		c.builds[e.ImportPath] = append(c.builds[e.ImportPath], e.Output)
	case "run":
		c.at(e)
	case "output":
		o := c.at(e)
		o.output = append(o.output, e.Output)
	case "pass", "fail", "skip":
		c.end(e)
	}
}

func (c *counter) at(e event) *outcome {
	k := key{e.Package, e.Test}
	if c.tests[k] == nil {
		c.tests[k] = &outcome{pkg: e.Package, name: e.Test}
	}
	return c.tests[k]
}

func (c *counter) end(e event) {
	o := c.at(e)
	o.action = e.Action
	if e.Action == "pass" {
		o.output = nil
	}
	if e.Test != "" || e.Action == "skip" { // a package is skipped if it has no tests
		return
	}
	if e.FailedBuild != "" {
		o.output = append(o.output, c.builds[e.FailedBuild]...)
	}
	fmt.Fprintf(c.out, "%s %s %.1fs\n", e.Action, e.Package, e.Elapsed)
}

// summary prints failures with their output, skips with their reason, and the
// closing line.
func (c *counter) summary() error {
	counted := c.counted()
	n := map[string]int{}
	for _, o := range counted {
		n[o.action]++
	}
	for _, o := range counted {
		if o.action == "fail" {
			fmt.Fprintf(c.out, "\nFAIL %s\n%s", o.title(), strings.Join(o.output, ""))
		}
	}
	if n["skip"] > 0 {
		fmt.Fprintln(c.out, "\nSkipped:")
	}
	for _, o := range counted {
		if o.action == "skip" {
			fmt.Fprintf(c.out, "  %s: %s\n", o.title(), o.reason())
		}
	}
	fmt.Fprintf(c.out, "\n%d tests\n", len(counted))
	fmt.Fprintf(c.out, "%d passed, %d failed, %d skipped\n", n["pass"], n["fail"], n["skip"])
	switch {
	case n["fail"] > 0:
		return errFailed
	case n["pass"] == 0:
		return errNone
	}
	return nil
}

// counted lists what counts as one test, in the order of packages and names.
func (c *counter) counted() []*outcome {
	parents, failed := c.parents()
	var list []*outcome
	for _, k := range slices.SortedFunc(maps.Keys(c.tests), compareKeys) {
		o := c.tests[k]
		if o.action == "" {
			o.action = "fail" // it began and never ended
		}
		switch {
		case k.test == "" && (o.action != "fail" || failed[k]):
		case k.test != "" && parents[k] && o.action == "pass":
		case parents[k] && o.action == "fail" && failed[k]:
		default:
			list = append(list, o)
		}
	}
	return list
}

// parents finds the tests that have subtests, and the packages and tests below
// which something failed.
func (c *counter) parents() (parents, failed map[key]bool) {
	parents, failed = map[key]bool{}, map[key]bool{}
	for k, o := range c.tests {
		for k.test != "" {
			k.test = parent(k.test)
			parents[k] = true
			if o.action == "fail" || o.action == "" {
				failed[k] = true
			}
		}
	}
	return parents, failed
}

// parent is the name of the test that a subtest belongs to, or "" for the package.
func parent(test string) string {
	return test[:max(strings.LastIndexByte(test, '/'), 0)]
}

func compareKeys(a, b key) int {
	if c := strings.Compare(a.pkg, b.pkg); c != 0 {
		return c
	}
	return strings.Compare(a.test, b.test)
}

func (o *outcome) title() string {
	if o.name == "" {
		return o.pkg + " (the package)"
	}
	return o.pkg + " " + o.name
}

// position is what testing writes before the text that a test logs.
var position = regexp.MustCompile(`^\s+[^\s:]+\.go:\d+: `)

// reason is the last text that the skipped test logged, on one line.
func (o *outcome) reason() string {
	var words []string
	for _, line := range o.output {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "=== ") || strings.HasPrefix(trimmed, "--- ") {
			continue
		}
		if at := position.FindStringIndex(line); at != nil {
			words, trimmed = nil, strings.TrimSpace(line[at[1]:])
		}
		words = append(words, trimmed)
	}
	if text := strings.TrimSpace(strings.Join(words, " ")); text != "" {
		return text
	}
	return "no reason given"
}
