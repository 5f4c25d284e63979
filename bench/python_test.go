package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
)

const requirements = "testdata/requirements.txt"

// errNoPython says that the readers in Python cannot be had here.
var errNoPython = errors.New("the readers in Python need Python 3.10 or newer with venv and, once, the packages of bench/testdata/requirements.txt from PyPI")

// interpreter makes the virtual environment once, in the user's cache, and returns its interpreter.
var interpreter = sync.OnceValues(func() (string, error) {
	base, err := exec.LookPath("python3")
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoPython, err)
	}
	key, err := hashOf(requirements)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoPython, err)
	}
	dir := filepath.Join(cache, "harrier", "bench-python-"+key)
	err = once(dir, func(temp string) error {
		if err := command(base, "-m", "venv", temp); err != nil {
			return err
		}
		return command(filepath.Join(temp, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
			"--only-binary=:all:", "--requirement", requirements)
	})
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoPython, err)
	}
	return filepath.Join(dir, "bin", "python"), nil
})

// command runs a program; the error holds the end of what it wrote.
func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, lines[len(lines)-1])
	}
	return nil
}

// pythonScan is a running scan.py.
type pythonScan struct {
	in       io.Writer
	out      *bufio.Scanner
	problems *bytes.Buffer
	want     scanned
}

// timesModulus keeps the sum of times within 64 bits.
const timesModulus = 1_000_003

// scanned is what scan.py prints.
type scanned struct {
	Rows    int     `json:"rows"`
	Times   int64   `json:"times"` // sum of the times of all events, of each what is left after division by timesModulus
	Seconds float64 `json:"seconds"`
}

// startPython starts scan.py, which ends with the benchmark. The error is errNoPython if it cannot be had here.
func startPython(b *testing.B, product node.Product, address, where string) (*pythonScan, error) {
	b.Helper()
	python, err := interpreter()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, "testdata/scan.py", string(product), address, readIndex, strings.Join(readColumns(), ","), where)
	p := &pythonScan{problems: &bytes.Buffer{}}
	cmd.Stderr = p.problems
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b.Cleanup(func() {
		// The script ends with its input; one that hangs is killed.
		stop := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer stop.Stop()
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			b.Errorf("scan.py: %v", err)
		}
	})
	p.in, p.out = in, bufio.NewScanner(out)
	return p, nil
}

// run reads all events once and checks them by their number and the sum of their times.
func (p *pythonScan) run(context.Context) (time.Duration, error) {
	if _, err := io.WriteString(p.in, "go\n"); err != nil {
		return 0, err
	}
	if !p.out.Scan() {
		return 0, fmt.Errorf("scan.py ended: %v\n%.2000s", p.out.Err(), p.problems)
	}
	var got scanned
	if err := json.Unmarshal(p.out.Bytes(), &got); err != nil {
		return 0, err
	}
	if got.Rows != p.want.Rows || got.Times != p.want.Times {
		return 0, fmt.Errorf("scan.py read %d events with the times %d, wanted %d with %d", got.Rows, got.Times, p.want.Rows, p.want.Times)
	}
	return time.Duration(got.Seconds * float64(time.Second)), nil
}
