package sdk

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// sendBuffer is the room of the socket to the host, in bytes. With the system's (208 KiB) the two processes take turns instead of working
// at the same time.
const sendBuffer = 2 << 20

// widen gives the connections to the host more room. go-plugin hands out neither its listener nor what it accepts, and the system's own
// room cannot be inherited, so they are found among the open files: they are the connected sockets that have a path.
func widen() {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, f := range files {
		fd, err := strconv.Atoi(f.Name())
		if err != nil {
			continue
		}
		name, err := unix.Getsockname(fd)
		if path, ok := name.(*unix.SockaddrUnix); err != nil || !ok || path.Name == "" {
			continue
		}
		if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err == nil && listens == 0 {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer) // without it all works, but slower
		}
	}
}
