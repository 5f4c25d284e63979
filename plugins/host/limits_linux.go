package host

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// confinement bounds a process: by a cgroup of its own where the host may make one, else by a resource limit and by which CPUs it may
// run on. It knows what of that has worked.
type confinement struct {
	memoryMB int
	cpus     float64
	folder   string // the cgroup, "" if none
	group    *os.File
	memory   string // how memory is bounded, "" if it is not
	cpu      string // how CPUs are
}

// newConfinement prepares the limits of one process.
func newConfinement(c Config) *confinement {
	out := &confinement{memoryMB: c.MemoryMB, cpus: c.CPUs}
	if out.memoryMB == 0 && out.cpus == 0 {
		return out
	}
	parent, err := parentGroup(c.Cgroup)
	if err == nil {
		err = out.makeGroup(parent)
	}
	if err == nil {
		out.group, err = os.Open(out.folder)
	}
	if err != nil {
		out.release()
	}
	return out
}

// errNoGroup says that there is no cgroup v2 to use.
var errNoGroup = errors.New("no cgroup v2")

// parentGroup returns the cgroup v2 folder below which groups are made.
func parentGroup(configured string) (string, error) {
	folder := configured
	if folder == "" {
		own, err := os.ReadFile("/proc/self/cgroup")
		if err != nil {
			return "", err
		}
		_, rest, found := strings.Cut("\n"+string(own), "\n0::")
		if !found {
			return "", errNoGroup
		}
		path, _, _ := strings.Cut(rest, "\n")
		folder = filepath.Join("/sys/fs/cgroup", path)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return "", errNoGroup
	}
	return folder, nil
}

// makeGroup makes a group with the limits below parent. It fails where the controllers are not the host's to give.
func (c *confinement) makeGroup(parent string) error {
	enable := filepath.Join(parent, "cgroup.subtree_control")
	for _, controller := range c.controllers() {
		if has, err := os.ReadFile(enable); err == nil && slices.Contains(strings.Fields(string(has)), controller) {
			continue
		}
		if err := os.WriteFile(enable, []byte("+"+controller), 0o644); err != nil {
			return err
		}
	}
	folder, err := os.MkdirTemp(parent, "harrier-plugin-")
	if err != nil {
		return err
	}
	c.folder = folder
	return c.writeLimits()
}

func (c *confinement) controllers() []string {
	var out []string
	if c.memoryMB > 0 {
		out = append(out, "memory")
	}
	if c.cpus > 0 {
		out = append(out, "cpu")
	}
	return out
}

// writeLimits writes memory.max and cpu.max (kernel documentation, admin-guide/cgroup-v2).
func (c *confinement) writeLimits() error {
	if c.memoryMB > 0 {
		if err := os.WriteFile(filepath.Join(c.folder, "memory.max"), []byte(strconv.Itoa(c.memoryMB<<20)), 0o644); err != nil {
			return err
		}
		// Without swap accounting the file is not there.
		_ = os.WriteFile(filepath.Join(c.folder, "memory.swap.max"), []byte("0"), 0o644)
		c.memory = "cgroup"
	}
	if c.cpus > 0 {
		const period = 100_000
		quota := fmt.Sprintf("%d %d", int(math.Ceil(c.cpus*period)), period)
		if err := os.WriteFile(filepath.Join(c.folder, "cpu.max"), []byte(quota), 0o644); err != nil {
			return err
		}
		c.cpu = "cgroup"
	}
	return nil
}

// before has the child start in its group.
func (c *confinement) before(cmd *exec.Cmd) {
	if c.group != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(c.group.Fd())
	}
}

// onThread binds the calling thread, which must be locked, to as many CPUs as the child may use, so that the child starts bound. The
// function that it returns undoes that.
func (c *confinement) onThread() (restore func()) {
	var all unix.CPUSet
	if c.cpus == 0 || c.cpu != "" || unix.SchedGetaffinity(0, &all) != nil {
		return func() {}
	}
	some := chooseCPUs(&all, int(math.Ceil(c.cpus)))
	if unix.SchedSetaffinity(0, &some) != nil {
		return func() {}
	}
	c.cpu = "affinity"
	return func() { _ = unix.SchedSetaffinity(0, &all) }
}

// chooseCPUs returns n of the CPUs in all, beginning anywhere, so that several plugins do not share the first.
func chooseCPUs(all *unix.CPUSet, n int) unix.CPUSet {
	var out unix.CPUSet
	var list []int
	for i := range len(all) * 64 {
		if all.IsSet(i) {
			list = append(list, i)
		}
	}
	first := rand.IntN(len(list) + 1)
	for i := range min(n, len(list)) {
		out.Set(list[(first+i)%len(list)])
	}
	return out
}

// after bounds what has been started: the memory that it can write to (getrlimit(2), RLIMIT_DATA).
func (c *confinement) after(pid int) {
	if c.memoryMB == 0 || c.memory != "" {
		return
	}
	most := uint64(c.memoryMB) << 20
	if unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: most, Max: most}, nil) == nil {
		c.memory = "RLIMIT_DATA"
	}
}

// release removes the group of a process that has ended.
func (c *confinement) release() {
	if c.group != nil {
		_ = c.group.Close()
		c.group = nil
	}
	if c.folder == "" {
		return
	}
	// What has left the process's own group is still in this one.
	_ = os.WriteFile(filepath.Join(c.folder, "cgroup.kill"), []byte("1"), 0o644)
	_ = os.Remove(c.folder)
	c.folder, c.memory, c.cpu = "", "", ""
}

// String says what the operating system bounds, and what was asked for and is not bounded; "" if nothing was.
func (c *confinement) String() string {
	var bound, open []string
	add := func(what, how string) {
		if how != "" {
			bound = append(bound, what+" ("+how+")")
		} else {
			open = append(open, what)
		}
	}
	if c.memoryMB > 0 {
		add(fmt.Sprintf("memory %d MiB", c.memoryMB), c.memory)
	}
	if c.cpus > 0 {
		what := fmt.Sprintf("CPU %g", c.cpus)
		if c.cpu == "affinity" {
			what = fmt.Sprintf("CPU %g", math.Ceil(c.cpus))
		}
		add(what, c.cpu)
	}
	out := strings.Join(bound, ", ")
	if len(open) > 0 {
		out = strings.TrimPrefix(out+"; not bounded: "+strings.Join(open, ", "), "; ")
	}
	return out
}
