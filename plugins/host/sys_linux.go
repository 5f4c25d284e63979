package host

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// setAttributes makes the child the leader of a group of its own, so that the terminal's signals are not for it and all that it starts
// can be ended with it, and has the system end it when the host dies.
func setAttributes(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup kills a process that is not reaped yet, and its group. One that has just been started may not lead its group yet.
func killGroup(pid int) {
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// peekExit waits until the child has ended and leaves it to be reaped, so that its number is not given away meanwhile. It says whether it
// could.
func peekExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}
