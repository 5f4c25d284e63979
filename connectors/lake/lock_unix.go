//go:build unix

package lake

import (
	"os"
	"syscall"
)

// tryLock takes the lock of a writer's file. The operating system frees it when the process ends, however it ends.
func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// locksWork says whether a lock that could be taken means that its owner is gone.
const locksWork = true
