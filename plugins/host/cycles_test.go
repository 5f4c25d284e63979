package host_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/harrier-xdr/harrier/plugins/host"
)

// TestNothingIsLeft starts and stops plugins, in every way in which they end, and holds that no goroutine, file, process or socket is
// left. HARRIER_PLUGIN_CYCLES sets how often.
func TestNothingIsLeft(t *testing.T) {
	cycles := 50
	if n, err := strconv.Atoi(os.Getenv("HARRIER_PLUGIN_CYCLES")); err == nil {
		cycles = n
	}
	sockets := t.TempDir()
	t.Setenv("TMPDIR", sockets)
	cycle(t, 0) // what is made once and kept
	before, files := goleak.IgnoreCurrent(), fileCount(t)
	for i := range cycles {
		cycle(t, i)
	}
	goleak.VerifyNone(t, before)
	if now := fileCount(t); now > files {
		t.Errorf("%d files are open after %d cycles, %d before", now, cycles, files)
	}
	if left, err := filepath.Glob(filepath.Join(sockets, "*")); err != nil || len(left) > 0 {
		t.Errorf("left in the folder of sockets: %v %v", left, err)
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// cycle opens and ends one plugin; i chooses how.
func cycle(t *testing.T, i int) {
	t.Helper()
	s := setup(t)
	s.Timeouts.Start, s.Timeouts.Stop = 5*time.Second, 5*time.Second
	switch i % 5 {
	case 0: // as it should
		conn := mustOpen(t, config(t, "fake"), s)
		describe(t, conn)
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	case 1: // it is killed
		conn := mustOpen(t, config(t, "fake"), s)
		if err := syscall.Kill(describe(t, conn).Artifact.PID, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	case 2: // a search is under way
		conn := mustOpen(t, config(t, "waits"), s)
		for range conn.Search(t.Context(), searching()) {
			break
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	case 3: // it refuses
		if _, err := host.Open(t.Context(), config(t, "refuses"), s); err == nil {
			t.Error("it opened")
		}
	case 4: // it speaks something else
		if _, err := host.Open(t.Context(), config(t, "says", "hello"), s); err == nil {
			t.Error("it opened")
		}
	}
}

// fileCount counts the open files of this process.
func fileCount(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("open files are counted under /proc, which needs Linux")
	}
	return len(list)
}

// children lists the processes whose parent this one is, those that wait to be reaped too.
func children(t *testing.T) (out []string) {
	t.Helper()
	list, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			out = append(out, string(text[:min(len(text), 60)]))
		}
	}
	return out
}
