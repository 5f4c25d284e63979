//go:build !linux

package host

import "os/exec"

// confinement is what the operating system bounds of a process; nothing on this system.
type confinement struct{ asked bool }

func newConfinement(c Config) *confinement { return &confinement{c.MemoryMB > 0 || c.CPUs > 0} }

func (c *confinement) before(*exec.Cmd) {}

func (c *confinement) onThread() (restore func()) { return func() {} }

func (c *confinement) after(int) {}

func (c *confinement) release() {}

// String says what is bounded, for hunt.Artifact.
func (c *confinement) String() string {
	if c.asked {
		return "not bounded: this system has no limits that the gateway knows"
	}
	return ""
}
