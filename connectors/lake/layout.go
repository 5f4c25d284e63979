package lake

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Folders beside the partitions of a connection. Their names start with an underscore, so that readers of partitioned Parquet folders
// skip them.
const (
	commitsDir = "_commits"
	writersDir = "_writers"
	spillDir   = "_spill"
)

// dayNone is the partition of the events without a time.
const dayNone = "none"

// escapeName makes a safe folder name of any text: every byte but letters, digits, `_`, `-` and an inner `.` becomes %XX. Different
// texts get different names, and no name is empty, `.`, `..` or starts with a dot.
func escapeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() == 0 {
		return "%"
	}
	return b.String()
}

// connectionDir is the folder of one connection of one tenant.
func connectionDir(root, tenant, connection string) string {
	return filepath.Join(root, "tenant="+escapeName(tenant), "connection="+escapeName(connection))
}

// partition is the folder of one class and day, relative to the connection's.
func partition(class, day string) string {
	return filepath.Join("class="+escapeName(class), "day="+day)
}

// dayOf returns the UTC day of an instant in microseconds.
func dayOf(us int64) string { return time.UnixMicro(us).UTC().Format("2006-01-02") }

// commitName is the name of a commit's document.
func commitName(number int) string { return fmt.Sprintf("%08d.json", number) }

// syncDir makes the entries of a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// syncUp makes durable the folders from dir up to and including top.
func syncUp(dir, top string, done map[string]bool) error {
	for ; !done[dir]; dir = filepath.Dir(dir) {
		if err := syncDir(dir); err != nil {
			return err
		}
		done[dir] = true
		if dir == top {
			return nil
		}
	}
	return nil
}
