package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"

	"github.com/harrier-xdr/harrier/hunt"
)

// process is the child: it is started once, and killed and reaped at the latest when the host lets it go. It implements go-plugin's
// runner.Runner, which shakes hands with it.
type process struct {
	cmd     *exec.Cmd
	limits  *confinement
	lines   *lines
	exited  chan struct{} // closed when the process is reaped and its output read
	started bool          // it ran; can be read when Start has returned
	bounds  string        // what the operating system bounds; as started

	stdin          *os.File // our end of the pipe that says that the host is there
	stdout, stderr *os.File // our ends
	first          *io.PipeReader
	firstTo        *io.PipeWriter // the handshake for go-plugin; it must not see more, for it reads without bounds
	silent         *io.PipeReader // what go-plugin gets for standard error: nothing, until the process ends
	silentTo       *io.PipeWriter
	check          func(line string) *hunt.Error // of the handshake

	mu     sync.Mutex
	number int // of the process, 0 before it runs
	reaped bool
	status string      // how it ended
	at     time.Time   // when
	why    string      // why the host killed it, "" if it did not
	refuse *hunt.Error // why the host does not speak with it, nil if it does
}

var _ runner.Runner = (*process)(nil)

// newProcess prepares a process; cmd has path, arguments, folder and environment.
func newProcess(cmd *exec.Cmd, l *lines, c *confinement) *process {
	p := &process{cmd: cmd, lines: l, limits: c, exited: make(chan struct{})}
	l.exited = p.exited
	p.first, p.firstTo = io.Pipe()
	p.silent, p.silentTo = io.Pipe()
	return p
}

// Start implements runner.Runner.
func (p *process) Start(context.Context) error {
	ours, theirs, err := p.pipes()
	defer closeAll(theirs)
	if err != nil {
		closeAll(ours)
		return err
	}
	setAttributes(p.cmd)
	p.limits.before(p.cmd)
	begun := make(chan error)
	go p.run(begun)
	if err := <-begun; err != nil {
		closeAll(ours)
		return err
	}
	return nil
}

// pipes connects the standard streams; it returns our ends and the child's.
func (p *process) pipes() (ours, theirs []*os.File, err error) {
	pipe := func() (r, w *os.File) {
		if err != nil {
			return nil, nil
		}
		r, w, err = os.Pipe()
		return r, w
	}
	in, stdin := pipe()
	stdout, out := pipe()
	stderr, problems := pipe()
	p.stdin, p.stdout, p.stderr = stdin, stdout, stderr
	if err == nil { // an interface that holds a nil *os.File is not nil
		p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = in, out, problems
	}
	return []*os.File{stdin, stdout, stderr}, []*os.File{in, out, problems}, err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// run starts the process and waits for it. It keeps its thread: the system ends the child with the thread that started it, not with
// the program.
func (p *process) run(begun chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	restore := p.limits.onThread()
	err := p.cmd.Start()
	restore()
	if err != nil {
		p.limits.release()
		_ = p.firstTo.Close()
		_ = p.silentTo.Close()
		begun <- err
		return
	}
	p.limits.after(p.cmd.Process.Pid)
	p.started, p.bounds = true, p.limits.String()
	p.begin()
	var readers sync.WaitGroup
	readers.Go(p.readStdout)
	readers.Go(func() { p.lines.copy(p.stderr, "info") })
	begun <- nil
	p.reap()
	// What the child has started itself may hold the pipes open.
	for _, f := range []*os.File{p.stdout, p.stderr} {
		_ = f.SetReadDeadline(time.Now().Add(drain))
	}
	_ = p.firstTo.Close()
	readers.Wait()
	closeAll([]*os.File{p.stdin, p.stdout, p.stderr})
	p.limits.release()
	_ = p.silentTo.Close()
	close(p.exited)
}

// begin notes the number of the process, and kills one that was to end before it began.
func (p *process) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number = p.cmd.Process.Pid
	if p.why != "" {
		killGroup(p.number)
	}
}

// drain is how long the output of a process that has ended is still read.
const drain = 200 * time.Millisecond

// reap waits for the end and takes the exit status. Whatever the process has started in its group ends with it.
func (p *process) reap() {
	if !peekExit(p.cmd.Process.Pid) {
		_ = p.cmd.Wait() // the system cannot wait without reaping
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	killGroup(p.cmd.Process.Pid)
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Wait()
	}
	p.reaped, p.status, p.at = true, p.cmd.ProcessState.String(), time.Now()
}

// end kills the process and what it has started. why is for people; the first one counts.
func (p *process) end(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	if p.why == "" {
		p.why = why
	}
	if p.number != 0 {
		killGroup(p.number)
	}
}

// refused ends a process that the host will not speak with.
func (p *process) refused(err *hunt.Error) {
	p.mu.Lock()
	if p.refuse == nil {
		p.refuse = err
	}
	p.mu.Unlock()
	p.end("it was refused")
}

// refusal returns why the host does not speak with the process, nil if it does.
func (p *process) refusal() *hunt.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refuse
}

// died says how and when the process ended; it must have.
func (p *process) died() (how string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	how = p.status
	if p.why != "" {
		how += ": " + p.why
	}
	if last := p.lines.lastLine(); last != "" {
		how += fmt.Sprintf("; its last line: %q", last)
	}
	return how, p.at
}

// killed says whether the host ended the process.
func (p *process) killed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why != ""
}

func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// maxHandshake is the longest first line: numbers, a path and a certificate.
const maxHandshake = 16 << 10

// readStdout hands the first line to go-plugin if it is a handshake of ours, and the others to the log.
func (p *process) readStdout() {
	r := bufio.NewReaderSize(p.stdout, maxHandshake)
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull) || err == nil:
		if refusal := p.check(string(line)); refusal != nil {
			p.refused(refusal)
			break
		}
		_, _ = p.firstTo.Write(line)
	}
	p.lines.copy(r, "debug")
}

// Stdout implements runner.Runner.
func (p *process) Stdout() io.ReadCloser { return p.first }

// Stderr implements runner.Runner. go-plugin parses what it gets there and can be made to panic by it, so it gets nothing.
func (p *process) Stderr() io.ReadCloser { return p.silent }

// Wait implements runner.Runner.
func (p *process) Wait(context.Context) error {
	<-p.exited
	return nil
}

// Kill implements runner.Runner.
func (p *process) Kill(context.Context) error {
	p.end("the handshake failed")
	return nil
}

// ID implements runner.Runner.
func (p *process) ID() string { return fmt.Sprint(p.pid()) }

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.number
}

// Name implements runner.Runner.
func (p *process) Name() string { return p.cmd.Path }

// Diagnose implements runner.Runner; handshake says it better.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.AddrTranslator. A plugin is on this machine; it cannot send the host elsewhere.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	if network == "unix" {
		return network, address, nil
	}
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); network != "tcp" || err != nil || ip == nil || !ip.IsLoopback() {
		return "", "", fmt.Errorf("the address %s %q is not on this machine", network, address)
	}
	return network, address, nil
}

// HostToPlugin implements runner.AddrTranslator.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
