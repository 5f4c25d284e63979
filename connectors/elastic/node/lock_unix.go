//go:build unix

package node

import (
	"os"
	"syscall"
)

// tryLock takes the lock of a build. The operating system frees it when the process ends, however it ends.
func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
