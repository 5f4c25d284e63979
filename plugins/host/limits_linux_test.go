package host

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGroup makes a group in a folder that stands for a cgroup v2 tree; the kernel is not asked.
func TestGroup(t *testing.T) {
	parent := t.TempDir()
	if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("cpu io memory\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := &confinement{memoryMB: 512, cpus: 1.5}
	if err := c.makeGroup(parent); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"memory.max": "536870912", "memory.swap.max": "0", "cpu.max": "150000 100000", "../cgroup.subtree_control": "cpu io memory\n"} {
		if got, err := os.ReadFile(filepath.Join(c.folder, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	if got := c.String(); got != "memory 512 MiB (cgroup), CPU 1.5 (cgroup)" {
		t.Errorf("it says %q", got)
	}
}

func TestNoGroup(t *testing.T) {
	if folder, err := parentGroup(t.TempDir()); err == nil {
		t.Errorf("%s is no cgroup", folder)
	}
	c := &confinement{memoryMB: 512}
	if err := c.makeGroup("/no/such/folder"); err == nil {
		t.Error("a group was made in nothing")
	}
}

// TestConfinedIsTrue holds what is said when something could not be bounded.
func TestConfinedIsTrue(t *testing.T) {
	for want, c := range map[string]*confinement{
		"":                           {},
		"not bounded: memory 64 MiB": {memoryMB: 64},
		"CPU 2 (affinity); not bounded: memory 64 MiB": {memoryMB: 64, cpus: 1.5, cpu: "affinity"},
		"memory 64 MiB (RLIMIT_DATA)":                  {memoryMB: 64, memory: "RLIMIT_DATA"},
	} {
		if got := c.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
