//go:build unix && !linux

package host

import (
	"os/exec"
	"syscall"
)

// setAttributes makes the child the leader of a group of its own. That it ends with the host is left to the pipe on its standard input.
func setAttributes(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills a process that is not reaped yet, and its group.
func killGroup(pid int) {
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// peekExit would wait without reaping; this system has no such call that Go knows.
func peekExit(int) bool { return false }
