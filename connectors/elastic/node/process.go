package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// readyPrefix begins the line on standard output that names the port (launcher/.../Parent.java).
const readyPrefix = "harrier-node ready "

// launch is what a process is run with.
type launch struct {
	program program
	built   built    // its folder is the working folder: the archive of classes holds the class path as it was given
	flags   []string // of the Java machine
	input   string   // what Parent.java reads first
	log     *locked
}

// process is one run of a node. Its standard input stays open as long as this process lives: its end is the node's end.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	port  chan int32    // one value, once the node serves
	ended chan struct{} // closed at the end of the process
	out   *locked       // keeps the last lines
	once  sync.Once
}

// launch says how this node is run.
func (n *Node) launch() launch {
	o := n.options
	prog, _ := programOf(o.Product) // checked at Start
	settings := map[string]string{"http.port": strconv.Itoa(int(n.port.Load()))}
	if o.TLS {
		settings["xpack.security.http.ssl.enabled"] = "true"
		settings["xpack.security.http.ssl.key"] = keyFile
		settings["xpack.security.http.ssl.certificate"] = certificateFile
	}
	maps.Copy(settings, o.Settings)
	settings["harrier.home"] = o.Dir
	if o.User != "" {
		settings["harrier.user"], settings["harrier.password"] = o.User, o.Password
	}
	if n.temporary {
		settings["harrier.temporary"] = "true"
	}
	flags := []string{fmt.Sprintf("-Xms%dm", o.HeapMB), fmt.Sprintf("-Xmx%dm", o.HeapMB)}
	for _, name := range []string{"java.io.tmpdir", "jna.tmpdir"} { // what a killed node leaves there goes with its folder
		flags = append(flags, "-D"+name+"="+filepath.Join(o.Dir, "tmp"))
	}
	if prog.java > 17 { // Lucene 10 calls the operating system by itself, which newer machines warn of
		flags = append(flags, "--enable-native-access=ALL-UNNAMED")
	}
	flags = append(flags, "-XX:ErrorFile="+filepath.Join(o.Dir, "crash-%p.log"))
	if _, err := os.Stat(filepath.Join(n.built.folder, archiveFile)); err == nil {
		flags = append(flags, "-XX:SharedArchiveFile="+archiveFile)
	}
	return launch{program: prog, built: n.built, flags: flags, input: lines(settings), log: n.log}
}

// lines writes settings in the form that Parent.java reads.
func lines(settings map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s=%s\n", key, settings[key])
	}
	b.WriteByte('\n')
	return b.String()
}

// run starts the process. Code that is compiled once and lightly (TieredStopAtLevel=1) suits nodes that live for seconds. That the archive
// of classes which comes with a JDK is of no use to a node with other modules (cds) is no news for anybody.
func run(l launch) (*process, error) {
	jars, err := classPath(l.built.folder)
	if err != nil {
		return nil, failure("start", hunt.SourceUnavailable, err)
	}
	args := append([]string{"-XX:+UseG1GC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError", "-Xlog:cds=off", "-Dlog4j2.disable.jmx=true",
		"-Djava.awt.headless=true", "-Dfile.encoding=UTF-8", "--add-opens=java.base/java.lang=ALL-UNNAMED"}, l.flags...)
	p := &process{
		cmd:   exec.Command(l.built.java.path, append(args, "-cp", jars, l.program.main)...),
		port:  make(chan int32, 1),
		ended: make(chan struct{}),
		out:   newLocked(l.log),
	}
	p.cmd.Dir = l.built.folder
	p.cmd.Env = environment()
	p.cmd.SysProcAttr = ownGroup()
	p.cmd.Stdout = &lineWriter{line: p.stdout}
	p.cmd.Stderr = &lineWriter{line: p.out.line}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, failure("start", hunt.SourceUnavailable, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, failure("start", hunt.SourceUnavailable, err)
	}
	go p.wait()
	// A process that is gone already shows at ended, not here. The pipe holds more than the settings, so this does not block for long.
	_, _ = io.WriteString(p.stdin, l.input)
	return p, nil
}

// environment is what the node gets of ours: no secrets that happen to stand in it.
func environment() []string {
	var kept []string
	for _, name := range []string{"PATH", "HOME", "LANG", "LC_ALL", "TZ", "JAVA_TOOL_OPTIONS"} {
		if value, ok := os.LookupEnv(name); ok {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}

func (p *process) wait() {
	_ = p.cmd.Wait() // how it ended interests nobody: the last lines say why
	close(p.ended)
}

func (p *process) stdout(line string) {
	text, ok := strings.CutPrefix(line, readyPrefix)
	port, err := strconv.ParseUint(text, 10, 16)
	if !ok || err != nil {
		p.out.line(line)
		return
	}
	select {
	case p.port <- int32(port):
	default: // said twice
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the node to close and waits; a node that takes longer than allowed is killed.
func (p *process) stop(allowed time.Duration) {
	p.once.Do(func() {
		_, _ = io.WriteString(p.stdin, "stop\n")
		_ = p.stdin.Close()
	})
	limit := time.NewTimer(allowed)
	defer limit.Stop()
	select {
	case <-p.ended:
	case <-limit.C:
		p.kill()
	}
}

// kill ends the process at once and waits for its end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// failure says that the node did not come up, with its last lines.
func (p *process) failure(what string) error {
	text := "the node did not start: " + what
	if last := p.out.last(); last != "" {
		text += "; it wrote: " + last
	}
	return &hunt.Error{Op: "node: start", Code: hunt.SourceUnavailable, Message: text, Retryable: true}
}

// interruption is what a start fails with when ctx ends.
func (p *process) interruption(ctx context.Context) error {
	return interruption(ctx, "start", p.failure("it was not healthy in time"))
}

// keptLines is how many of the last lines stand in an error. A Java exception names its reason in its first lines, so that the lines of
// a stack ("at ...") do not count.
const keptLines = 6

// locked is a writer for several goroutines that keeps the last lines.
type locked struct {
	mu   sync.Mutex
	to   io.Writer
	kept []string
}

func newLocked(to io.Writer) *locked {
	if to == nil {
		to = io.Discard
	}
	return &locked{to: to}
}

// Write hands bytes on.
func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(b)
}

// line hands a line on and keeps it.
func (l *locked) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.to, text+"\n")
	if text = strings.TrimSpace(text); text == "" || strings.HasPrefix(text, "at ") {
		return
	}
	l.kept = append(l.kept, text)
	if extra := len(l.kept) - keptLines; extra > 0 {
		l.kept = slices.Delete(l.kept, 0, extra)
	}
}

func (l *locked) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.kept, " | ")
}

// lineWriter calls line for every whole line that is written to it. It serves one goroutine.
type lineWriter struct {
	line func(string)
	rest []byte
}

// Write never fails: a reader of the log that does must not stop the node.
func (w *lineWriter) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		end := bytes.IndexByte(w.rest, '\n')
		if end < 0 {
			return len(b), nil
		}
		w.line(strings.TrimRight(string(w.rest[:end]), "\r"))
		w.rest = w.rest[end+1:]
	}
}
