package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// sources are the Java programs: one folder a product, one for what the versions of a product share, and the launcher that all share.
//
//go:embed elasticsearch elasticsearch8 elasticsearch9 opensearch opensearch2 opensearch3 launcher
var sources embed.FS

const (
	launcherFolder = "launcher"
	nodeJar        = "node.jar"
	libFolder      = "lib"
	archiveFile    = "classes.jsa"
	// copyGoal copies the jars that a pom names into a folder.
	copyGoal = "org.apache.maven.plugins:maven-dependency-plugin:3.7.1:copy-dependencies"
	// lockPause lies between two attempts at the lock of a build that another process is doing.
	lockPause = 200 * time.Millisecond
	// archiveLimit is how long a node may take to close while it writes the archive of classes.
	archiveLimit = 2 * time.Minute
)

// program is the Java program of a product.
type program struct {
	product Product
	folder  string // in sources, with the pom
	shared  string // in sources, what all versions of the product have
	main    string // class
	java    int    // the oldest Java that the server runs with
	users   bool   // it has users and TLS
}

const (
	elasticsearchMain = "org.elasticsearch.node.SingleNode"
	openSearchMain    = "harrier.node.SingleNode"
)

var programs = []program{
	{product: Elasticsearch, folder: "elasticsearch8", shared: "elasticsearch", main: elasticsearchMain, java: 17, users: true},
	{product: OpenSearch, folder: "opensearch2", shared: "opensearch", main: openSearchMain, java: 17},
	{product: Elasticsearch9, folder: "elasticsearch9", shared: "elasticsearch", main: elasticsearchMain, java: 21},
	{product: OpenSearch3, folder: "opensearch3", shared: "opensearch", main: openSearchMain, java: 21},
}

// Products lists the products of which nodes can be started, given a Java that is new enough for each.
func Products() []Product {
	var all []Product
	for _, p := range programs {
		all = append(all, p.product)
	}
	return all
}

func programOf(p Product) (program, error) {
	for _, prog := range programs {
		if prog.product == p {
			return prog, nil
		}
	}
	return program{}, failure("build", hunt.BadConfig, fmt.Errorf("there is no node of the product %q: it is one of %q", p, Products()))
}

// Available returns nil if a node can be started here, as far as can be told without a network; else an error that says what to
// install.
func Available(p Product) error {
	prog, err := programOf(p)
	if err != nil {
		return err
	}
	java, err := findJava(prog.java)
	if err != nil {
		return err
	}
	folder, err := prog.cache(java)
	if err != nil {
		return failure("build", hunt.SourceUnavailable, err)
	}
	if isFolder(folder) {
		return nil
	}
	_, err = findToolchain(java, prog.java)
	return err
}

// Build makes what Start needs, if it is not there: Maven downloads the jars, and the launcher is compiled, into the folder
// harrier/nodes/<product>-<hash> of the user's cache. Several processes may do so at once: one builds, the others wait. log gets the
// progress; nil discards it. Errors are *hunt.Error as those of Start.
func Build(ctx context.Context, p Product, log io.Writer) error {
	_, err := build(ctx, p, newLocked(log))
	return err
}

// built is what a node runs with.
type built struct {
	java   machine
	folder string // of the jars
}

func build(ctx context.Context, p Product, log *locked) (built, error) {
	prog, err := programOf(p)
	if err != nil {
		return built{}, err
	}
	java, err := findJava(prog.java)
	if err != nil {
		return built{}, err
	}
	folder, err := prog.cache(java)
	if err != nil {
		return built{}, failure("build", hunt.SourceUnavailable, err)
	}
	result := built{java, folder}
	if isFolder(folder) {
		return result, nil
	}
	tools, err := findToolchain(java, prog.java)
	if err != nil {
		return built{}, err
	}
	b := &builder{program: prog, java: java, tools: tools, log: log}
	if err := b.alone(ctx, folder); err != nil {
		return built{}, interruption(ctx, "build", err)
	}
	return result, nil
}

// cache is the folder that a build makes. Its name holds a hash of the sources and of the Java machine, so that a changed program is a
// new folder, and so is another machine: an archive of classes fits only the one that wrote it.
func (p program) cache(java machine) (string, error) {
	root, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no cache folder for the jars: %w; set HOME or XDG_CACHE_HOME", err)
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%d\n%s", len(java.version), java.version)
	for _, name := range p.files() {
		text, err := sources.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
	}
	return filepath.Join(root, "harrier", "nodes", string(p.product)+"-"+hex.EncodeToString(sum.Sum(nil)[:8])), nil
}

// files lists the sources of a program, in order.
func (p program) files() []string {
	var names []string
	for _, root := range []string{p.folder, p.shared, launcherFolder} {
		// The file system is in memory: walking it cannot fail.
		_ = fs.WalkDir(sources, root, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				names = append(names, name)
			}
			return err
		})
	}
	return names
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// lock waits until no other process builds the folder.
func lock(ctx context.Context, folder string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(folder+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockPause)
	defer tick.Stop()
	for !tryLock(f) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
	return func() { f.Close() }, nil
}

// builder builds one program.
type builder struct {
	program program
	java    machine
	tools   toolchain
	log     *locked
}

// alone builds the folder unless another process did so while this one waited for it.
func (b *builder) alone(ctx context.Context, folder string) error {
	unlock, err := lock(ctx, folder)
	if err != nil {
		return err
	}
	defer unlock()
	if isFolder(folder) {
		return nil
	}
	return b.into(ctx, folder)
}

// into builds beside the folder and gives the result its name at the end: a folder of that name is whole.
func (b *builder) into(ctx context.Context, folder string) error {
	pattern := filepath.Base(folder) + ".building-"
	removeOld(folder, pattern)
	work, err := os.MkdirTemp(filepath.Dir(folder), pattern)
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	done := filepath.Join(work, "done")
	for _, step := range []func(context.Context, string, string) error{b.unpack, b.download, b.compile} {
		if err := step(ctx, work, done); err != nil {
			return err
		}
	}
	b.archive(ctx, work, done)
	if err := os.Rename(done, folder); err != nil && !isFolder(folder) {
		return err
	}
	return nil
}

// removeOld removes what builds left that were killed. The caller holds the lock.
func removeOld(folder, pattern string) {
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(folder), pattern+"*"))
	for _, name := range left {
		_ = os.RemoveAll(name)
	}
}

// unpack writes the sources.
func (b *builder) unpack(_ context.Context, work, done string) error {
	for _, name := range b.program.files() {
		text, err := sources.ReadFile(name)
		if err != nil {
			return err
		}
		file := filepath.Join(work, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(done, libFolder), 0o755)
}

// download has Maven copy the jars; Maven keeps them in the user's own repository too.
func (b *builder) download(ctx context.Context, work, done string) error {
	fmt.Fprintf(b.log, "node: fetching the jars of %s with Maven, about 100 MB the first time\n", b.program.product)
	err := b.tool(ctx, done, b.tools.mvn, "-B", "-f", filepath.Join(work, b.program.folder, "pom.xml"), copyGoal, "-DincludeScope=runtime",
		"-DoutputDirectory="+filepath.Join(done, libFolder))
	if err != nil {
		return &hunt.Error{Op: "node: build", Code: hunt.SourceUnavailable, Retryable: true, Cause: ErrNoJars,
			Message: "Maven could not fetch the jars (is there a network, or a mirror in its settings.xml?): " + err.Error()}
	}
	return nil
}

// compile makes node.jar of the sources and resources. It is a jar because an archive of classes knows no folders of classes.
func (b *builder) compile(ctx context.Context, work, done string) error {
	fmt.Fprintf(b.log, "node: compiling the launcher of %s\n", b.program.product)
	classes := filepath.Join(work, "classes")
	args := []string{"-proc:none", "--release", fmt.Sprint(b.program.java), "-encoding", "UTF-8", "-d", classes, "-cp", filepath.Join(libFolder, "*")}
	jar := []string{"--create", "--file", nodeJar, "-C", classes, "."}
	for _, name := range b.program.files() {
		file := filepath.Join(work, filepath.FromSlash(name))
		switch {
		case path.Ext(name) == ".java":
			args = append(args, file)
		case path.Ext(name) == ".properties":
			jar = append(jar, "-C", filepath.Dir(file), filepath.Base(file))
		}
	}
	if err := b.tool(ctx, done, b.tools.javac, args...); err != nil {
		return err
	}
	return b.tool(ctx, done, b.tools.jar, jar...)
}

// archive runs the node once and has the Java machine keep the classes it loaded in the form it uses them in, which halves later
// starts. A node starts without the archive too, so a failure is only told. Another version of Java ignores the archive.
func (b *builder) archive(ctx context.Context, work, done string) {
	fmt.Fprintf(b.log, "node: archiving the classes of %s\n", b.program.product)
	if err := b.train(ctx, filepath.Join(work, "data"), done); err != nil {
		_ = os.Remove(filepath.Join(done, archiveFile))
		fmt.Fprintf(b.log, "node: no archive of classes, starts take longer: %v\n", err)
	}
}

func (b *builder) train(ctx context.Context, data, done string) error {
	n := &Node{options: Options{Product: b.program.product, Dir: data, HeapMB: defaultHeap}, built: built{b.java, done}, log: b.log}
	if b.program.users { // the classes of security and TLS too
		n.options.User, n.options.Password, n.options.TLS = "harrier", rand.Text(), true
	}
	if err := n.prepare(); err != nil {
		return err
	}
	l := n.launch()
	l.flags = append(l.flags, "-XX:ArchiveClassesAtExit="+archiveFile, "-Xlog:cds=error", fmt.Sprintf("-Dharrier.exit.seconds=%d", int(archiveLimit.Seconds())))
	p, err := run(l)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := n.await(ctx, p); err != nil {
		p.kill()
		return err
	}
	p.stop(archiveLimit)
	if _, err := os.Stat(filepath.Join(done, archiveFile)); err != nil {
		return p.failure("it wrote no archive")
	}
	return nil
}

// tool runs a program in a folder. Its output goes to the log; an error holds its last lines. Maven would run with another Java than the
// one that was found if it were not told.
func (b *builder) tool(ctx context.Context, folder, name string, args ...string) error {
	out := newLocked(b.log)
	lines := &lineWriter{line: out.line}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = folder, lines, lines, time.Second
	cmd.Env = append(os.Environ(), "JAVA_HOME="+filepath.Dir(filepath.Dir(b.java.path)))
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, out.last())
	}
	return nil
}

// classPath lists the jars of a build, relative to it and always in the same order: the archive of classes fits one class path.
func classPath(folder string) (string, error) {
	jars, err := filepath.Glob(filepath.Join(folder, libFolder, "*.jar"))
	if err != nil || len(jars) == 0 {
		return "", errors.Join(err, fmt.Errorf("%s holds no jars: remove the folder, it is built again", folder))
	}
	slices.Sort(jars)
	names := []string{nodeJar}
	for _, jar := range jars {
		names = append(names, filepath.Join(libFolder, filepath.Base(jar)))
	}
	return strings.Join(names, string(os.PathListSeparator)), nil
}
