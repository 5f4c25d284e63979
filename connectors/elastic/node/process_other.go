//go:build !unix

package node

import "syscall"

// ownGroup does nothing here.
func ownGroup() *syscall.SysProcAttr { return nil }
