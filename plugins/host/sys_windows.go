package host

import (
	"os"
	"os/exec"
)

// setAttributes leaves everything to the pipe on the child's standard input.
func setAttributes(*exec.Cmd) {}

// killGroup kills a process that is not reaped yet.
func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

// peekExit would wait without reaping; this system has no such call that Go knows.
func peekExit(int) bool { return false }
