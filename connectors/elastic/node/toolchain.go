package node

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
)

// jdks is the folder that holds a folder for each Java of the machine, of which PATH leads to one: what HARRIER_JDKS says, or Debian's.
func jdks() string { return cmp.Or(os.Getenv("HARRIER_JDKS"), "/usr/lib/jvm") }

// machine is a Java machine that is new enough.
type machine struct {
	path    string
	version string // what it says of itself, build and vendor included
}

// toolchain is what a build needs beside a machine, as paths of programs.
type toolchain struct {
	javac, jar, mvn string
}

// findToolchain looks for everything a build needs.
func findToolchain(java machine, oldest int) (toolchain, error) {
	t := toolchain{javac: beside(java.path, "javac"), jar: beside(java.path, "jar")}
	t.mvn, _ = exec.LookPath("mvn")
	var missing []string
	for _, tool := range []struct{ name, path string }{{"javac", t.javac}, {"jar", t.jar}, {"mvn", t.mvn}} {
		if tool.path == "" {
			missing = append(missing, tool.name)
		}
	}
	if len(missing) > 0 {
		return t, noJava("missing: "+strings.Join(missing, ", "), oldest)
	}
	return t, nil
}

// findJava looks in JAVA_HOME, then in PATH, then among the JDKs of jdks, for the first that is new enough.
func findJava(oldest int) (machine, error) {
	var tried []string
	for _, java := range javas() {
		text, err := exec.Command(java, "-version").CombinedOutput()
		if err != nil {
			tried = append(tried, fmt.Sprintf("%s -version fails: %v", java, err))
			continue
		}
		if version := javaVersion(string(text)); version < oldest {
			tried = append(tried, fmt.Sprintf("%s is Java %d", java, version))
			continue
		}
		return machine{java, string(text)}, nil
	}
	if tried == nil {
		tried = []string{"missing: java"}
	}
	return machine{}, noJava(strings.Join(tried, ", "), oldest)
}

// javas lists the programs that findJava tries, each once, as the files that links lead to: the rest of a JDK is beside those. What is
// in jdks without a compiler is left out, since PATH's may be too old for it.
func javas() []string {
	var found []string
	add := func(java string) {
		if java == "" {
			return
		}
		if target, err := filepath.EvalSymlinks(java); err == nil {
			java = target
		}
		if !slices.Contains(found, java) {
			found = append(found, java)
		}
	}
	if home := os.Getenv("JAVA_HOME"); home != "" {
		add(executable(filepath.Join(home, "bin"), "java"))
	}
	inPath, _ := exec.LookPath("java")
	add(inPath)
	folders, _ := filepath.Glob(filepath.Join(jdks(), "*", "bin"))
	for _, folder := range folders {
		if executable(folder, "javac") != "" {
			add(executable(folder, "java"))
		}
	}
	return found
}

// javaVersion reads the feature version from what java -version prints: version "17.0.15", "21", "22-ea" or, before Java 9, "1.8.0_402".
// 0 says that it is none of these.
func javaVersion(text string) int {
	found := regexp.MustCompile(`version "(?:1\.)?(\d+)`).FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	version, err := strconv.Atoi(found[1])
	if err != nil {
		return 0
	}
	return version
}

// beside returns a tool of the JDK that java is of, else the one in PATH, else "".
func beside(java, name string) string {
	if tool := executable(filepath.Dir(java), name); tool != "" {
		return tool
	}
	tool, _ := exec.LookPath(name)
	return tool
}

func executable(folder, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	file := filepath.Join(folder, name)
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		return ""
	}
	return file
}

// noJava is the error that says what was found and what to install instead. Debian has the newer Java since its release 13.
func noJava(what string, oldest int) error {
	debian := "Debian"
	if oldest > 17 {
		debian = "Debian 13 or newer"
	}
	install := fmt.Sprintf("install a JDK %d or newer and Maven, on %s: apt-get install openjdk-%d-jdk-headless maven", oldest, debian, oldest)
	return &hunt.Error{Op: "node: build", Code: hunt.SourceUnavailable, Message: what + "; " + install, Cause: ErrNoJava}
}
