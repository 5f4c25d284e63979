//go:build unix

package node

import "syscall"

// ownGroup keeps the node out of the group of the terminal: an interrupt there is for the process that started the node, which then
// stops it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
