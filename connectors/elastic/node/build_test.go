//go:build unix

package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/connectors/elastic/node/nodetest"
	"github.com/harrier-xdr/harrier/hunt"
)

// Tools that do as little as the build needs. The java among them runs nothing, so that what is built has no archive of classes.
const (
	fakeJava  = "[ \"$1\" = -version ] || { echo no node here; exit 1; }\necho 'openjdk version \"%s\"' >&2"
	fakeJavac = `while [ "$1" != -d ]; do shift; done; mkdir "$2"`
	fakeJar   = `echo jar > node.jar`
	fakeMaven = `echo run >> "$FAKE/runs"; for a; do case $a in -DoutputDirectory=*) echo jar > "${a#*=}/a.jar";; esac; done`
)

// tools is a folder with fake tools that PATH and JAVA_HOME lead to, with a cache folder and a folder for other JDKs (jvm) of its own.
type tools struct {
	t   *testing.T
	dir string
}

func fakeTools(t *testing.T) tools {
	t.Helper()
	f := tools{t, t.TempDir()}
	for _, name := range []string{"bin", "cache"} {
		if err := os.Mkdir(filepath.Join(f.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("FAKE", f.dir)
	t.Setenv("JAVA_HOME", f.dir)
	t.Setenv("HOME", f.dir)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(f.dir, "cache"))
	t.Setenv("PATH", filepath.Join(f.dir, "bin")+":/usr/bin:/bin")
	t.Setenv("HARRIER_JDKS", filepath.Join(f.dir, "jvm"))
	f.script("java", fmt.Sprintf(fakeJava, "17.0.1"))
	f.script("javac", fakeJavac)
	f.script("jar", fakeJar)
	f.script("mvn", fakeMaven)
	return f
}

// script writes a tool.
func (f tools) script(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "bin", name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		f.t.Fatal(err)
	}
}

// runs counts how often Maven ran.
func (f tools) runs() int {
	text, _ := os.ReadFile(filepath.Join(f.dir, "runs"))
	return strings.Count(string(text), "run")
}

// inCache lists the cache folder but for locks.
func (f tools) inCache() []string {
	f.t.Helper()
	var names []string
	err := filepath.WalkDir(f.dir, func(name string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() && filepath.Base(filepath.Dir(name)) == "nodes" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return names
}

func TestBuildIsDoneOnce(t *testing.T) {
	f := fakeTools(t)
	for range 2 {
		if err := node.Build(t.Context(), node.OpenSearch, nil); err != nil {
			t.Fatal(err)
		}
	}
	built := f.inCache()
	if f.runs() != 1 || len(built) != 1 {
		t.Fatalf("Maven ran %d times; in the cache: %q", f.runs(), built)
	}
	// What is built needs no tools but java.
	for _, name := range []string{"mvn", "javac", "jar"} {
		f.script(name, "exit 1")
	}
	if err := node.Available(node.OpenSearch); err != nil {
		t.Error(err)
	}
	_, err := node.Start(t.Context(), node.Options{Product: node.OpenSearch})
	if code := hunt.AsError(err, hunt.Internal).Code; code != hunt.SourceUnavailable || !strings.Contains(err.Error(), "no node here") {
		t.Errorf("a java that runs nothing: %v", err)
	}
	// Another Java machine is another build.
	f.script("java", fmt.Sprintf(fakeJava, "21.0.2"))
	f.script("mvn", fakeMaven)
	f.script("javac", fakeJavac)
	f.script("jar", fakeJar)
	if err := node.Build(t.Context(), node.OpenSearch, nil); err != nil || len(f.inCache()) != 2 {
		t.Errorf("%v; in the cache: %q", err, f.inCache())
	}
}

// While one builds, another waits; it gives up when its context ends, and takes what the first built otherwise.
func TestBuildsWaitForEachOther(t *testing.T) {
	f := fakeTools(t)
	fifo := filepath.Join(f.dir, "go-on")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	f.script("mvn", `read go < "$FAKE/go-on"; `+fakeMaven)
	results := make(chan error, 2)
	build := func() { results <- node.Build(t.Context(), node.OpenSearch, nil) }
	go build()
	mvn, err := os.OpenFile(fifo, os.O_WRONLY, 0) // returns when Maven runs
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err = node.Build(short, node.OpenSearch, nil)
	if code := hunt.AsError(err, hunt.Internal).Code; code != hunt.SourceTimeout {
		t.Errorf("%v: want %s", err, hunt.SourceTimeout)
	}
	go build()
	if _, err := mvn.WriteString("on\n"); err != nil {
		t.Fatal(err)
	}
	mvn.Close()
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if f.runs() != 1 || len(f.inCache()) != 1 {
		t.Errorf("Maven ran %d times; in the cache: %q", f.runs(), f.inCache())
	}
}

// A build that fails leaves nothing, says why and succeeds later.
func TestBuildFails(t *testing.T) {
	for _, tc := range []struct {
		tool, text, says string
		noJars           bool
	}{
		{"mvn", "echo '[ERROR] no such host'; exit 1", "no such host", true},
		{"javac", "echo 'SingleNode.java:1: error'; exit 1", "SingleNode.java:1", false},
		{"jar", "echo 'disk full' >&2; exit 1", "disk full", false},
	} {
		t.Run(tc.tool, func(t *testing.T) {
			f := fakeTools(t)
			good, err := os.ReadFile(filepath.Join(f.dir, "bin", tc.tool))
			if err != nil {
				t.Fatal(err)
			}
			f.script(tc.tool, tc.text)
			err = node.Build(t.Context(), node.Elasticsearch, nil)
			var failed *hunt.Error
			if !errors.As(err, &failed) || failed.Code != hunt.SourceUnavailable || !strings.Contains(failed.Message, tc.says) {
				t.Errorf("%v: want SOURCE_UNAVAILABLE with %q", err, tc.says)
			}
			if errors.Is(err, node.ErrNoJars) != tc.noJars || errors.Is(err, node.ErrNoJava) {
				t.Errorf("%v: a test would skip for the wrong reason", err)
			}
			if left := f.inCache(); len(left) != 0 {
				t.Errorf("left in the cache: %q", left)
			}
			f.script(tc.tool, strings.TrimPrefix(string(good), "#!/bin/sh\n"))
			if err := node.Build(t.Context(), node.Elasticsearch, nil); err != nil || len(f.inCache()) != 1 {
				t.Errorf("%v; in the cache: %q", err, f.inCache())
			}
		})
	}
}

func TestBuildRemovesWhatAKilledOneLeft(t *testing.T) {
	f := fakeTools(t)
	if err := node.Build(t.Context(), node.OpenSearch, nil); err != nil {
		t.Fatal(err)
	}
	built := f.inCache()[0]
	if err := os.Rename(built, built+".building-123"); err != nil {
		t.Fatal(err)
	}
	if err := node.Build(t.Context(), node.OpenSearch, nil); err != nil {
		t.Fatal(err)
	}
	if left := f.inCache(); len(left) != 1 || left[0] != built {
		t.Errorf("in the cache: %q", left)
	}
}

func TestAvailableSaysWhatToInstall(t *testing.T) {
	for version, enough := range map[string]bool{
		"1.8.0_402": false, "11.0.2": false, "16": false, "17": true, "17.0.15": true, "21-ea": true, "25.0.2.1": true, "none": false,
	} {
		t.Run(version, func(t *testing.T) {
			f := fakeTools(t)
			f.script("java", fmt.Sprintf(fakeJava, version))
			expectNoJava(t, enough, "java")
		})
	}
	for _, tool := range []string{"java", "javac", "mvn"} {
		t.Run("without "+tool, func(t *testing.T) {
			f := fakeTools(t)
			t.Setenv("PATH", filepath.Join(f.dir, "bin"))
			if err := os.Remove(filepath.Join(f.dir, "bin", tool)); err != nil {
				t.Fatal(err)
			}
			expectNoJava(t, false, tool)
		})
	}
}

// A product that needs a newer Java than that in PATH is built with one that lies beside it, and Maven runs with that one too.
func TestJavaThatIsNewEnough(t *testing.T) {
	f := fakeTools(t)
	err := node.Available(node.OpenSearch3)
	if !errors.Is(err, node.ErrNoJava) || !strings.Contains(err.Error(), "is Java 17") || !strings.Contains(err.Error(), "openjdk-21-jdk-headless") {
		t.Errorf("%v: want what was found and what to install", err)
	}
	for _, jdk := range []struct {
		name, version string
		compiles      bool
	}{{"a-20", "20.0.1", true}, {"b-25", "25.0.1", false}, {"c-25", "25.0.2", true}} {
		bin := filepath.Join(f.dir, "jvm", jdk.name, "bin")
		if err := os.MkdirAll(bin, 0o700); err != nil {
			t.Fatal(err)
		}
		f.script("../jvm/"+jdk.name+"/bin/java", fmt.Sprintf(fakeJava, jdk.version))
		if !jdk.compiles {
			continue
		}
		f.script("../jvm/"+jdk.name+"/bin/javac", fakeJavac)
		f.script("../jvm/"+jdk.name+"/bin/jar", fakeJar)
	}
	f.script("mvn", `echo "$JAVA_HOME" > "$FAKE/home"; `+fakeMaven)
	for _, tool := range []string{"javac", "jar"} { // those of the older JDK
		f.script(tool, "exit 1")
	}
	if err := node.Build(t.Context(), node.OpenSearch3, nil); err != nil {
		t.Fatal(err)
	}
	home, err := os.ReadFile(filepath.Join(f.dir, "home"))
	if want := filepath.Join(f.dir, "jvm", "c-25"); err != nil || strings.TrimSpace(string(home)) != want {
		t.Errorf("Maven ran with %q, %v, want %q", home, err, want)
	}
	if err := node.Available(node.Elasticsearch); err != nil {
		t.Errorf("the older one suffices: %v", err)
	}
}

func expectNoJava(t *testing.T, available bool, names string) {
	t.Helper()
	err := node.Available(node.Elasticsearch)
	if available {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if !errors.Is(err, node.ErrNoJava) || !strings.Contains(err.Error(), names) || !strings.Contains(err.Error(), "apt-get install") {
		t.Errorf("%v: want ErrNoJava, %q and what to install", err, names)
	}
	if started, err := node.Start(t.Context(), node.Options{Product: node.Elasticsearch}); !errors.Is(err, node.ErrNoJava) {
		t.Errorf("Start: %v, %v", started, err)
	}
}

// A node that hangs does not outlive Stop.
func TestStopEndsANodeThatHangs(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t, node.Options{Product: node.OpenSearch})
	pid, url := n.PID(), n.URL()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", pid, err)
	}
	expectRefused(t, url)
}
