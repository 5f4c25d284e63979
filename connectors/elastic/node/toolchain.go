package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
)

const (
	// oldestJava is what both servers are compiled for.
	oldestJava = 17
	toInstall  = "install a JDK 17 or newer and Maven, on Debian: apt-get install openjdk-17-jdk-headless maven"
)

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
func findToolchain(java machine) (toolchain, error) {
	t := toolchain{javac: beside(java.path, "javac"), jar: beside(java.path, "jar")}
	t.mvn, _ = exec.LookPath("mvn")
	var missing []string
	for _, tool := range []struct{ name, path string }{{"javac", t.javac}, {"jar", t.jar}, {"mvn", t.mvn}} {
		if tool.path == "" {
			missing = append(missing, tool.name)
		}
	}
	if len(missing) > 0 {
		return t, noJava("missing: " + strings.Join(missing, ", "))
	}
	return t, nil
}

// findJava looks in JAVA_HOME, then in PATH.
func findJava() (machine, error) {
	var java string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = executable(filepath.Join(home, "bin"), "java")
	}
	if java == "" {
		java, _ = exec.LookPath("java")
	}
	if java == "" {
		return machine{}, noJava("missing: java")
	}
	text, err := exec.Command(java, "-version").CombinedOutput()
	if err != nil {
		return machine{}, noJava(fmt.Sprintf("%s -version fails: %v", java, err))
	}
	if version := javaVersion(string(text)); version < oldestJava {
		return machine{}, noJava(fmt.Sprintf("%s is Java %d", java, version))
	}
	// The link in PATH leads to the folder where the rest of the JDK is.
	if target, err := filepath.EvalSymlinks(java); err == nil {
		java = target
	}
	return machine{java, string(text)}, nil
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

func noJava(what string) error {
	return &hunt.Error{Op: "node: build", Code: hunt.SourceUnavailable, Message: what + "; " + toInstall, Cause: ErrNoJava}
}
