package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/harrier-xdr/harrier/hunt"
)

const checksumPrefix = "sha256:"

// digest returns the digest of an executable as Config.Checksum has it, and refuses one that cannot be run or is not the pinned one.
func digest(path, pinned string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && (info.IsDir() || info.Mode()&0o111 == 0 && runtime.GOOS != "windows") {
		return "", hunt.Errorf(hunt.PluginRefused, "%s is not an executable file; set its execute permission or correct the path", path)
	}
	if err != nil {
		return "", unstartable(path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", unstartable(path, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", unstartable(path, err)
	}
	sum := checksumPrefix + hex.EncodeToString(h.Sum(nil))
	if pinned != "" && !strings.EqualFold(sum, pinned) {
		return "", hunt.Errorf(hunt.PluginRefused, "%s is not the pinned executable: its checksum is %s, the configuration says %s; "+
			"it was not started", path, sum, pinned)
	}
	return sum, nil
}

// unstartable says why an executable cannot be started.
func unstartable(path string, err error) *hunt.Error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hunt.Errorf(hunt.PluginRefused, "%s cannot be started: it is not there, or the interpreter that it names is not", path)
	case errors.Is(err, fs.ErrPermission):
		return hunt.Errorf(hunt.PluginRefused, "%s cannot be started: the gateway has no permission to", path)
	case errors.Is(err, syscall.ENOEXEC):
		return hunt.Errorf(hunt.PluginRefused, "%s cannot be started: it is no program for %s/%s", path, runtime.GOOS, runtime.GOARCH)
	}
	e := hunt.Errorf(hunt.PluginCrashed, "%s cannot be started: %w", path, err)
	e.Retryable = true
	return e
}
