package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/plugins/protocol"
)

// Bounds of what a process may write. Bytes above the rate are read later, so that a flood slows its writer rather than the host; lines
// above theirs are dropped.
const (
	maxLine        = 4 << 10
	bytesPerSecond = 4 << 20
	linesPerSecond = 200
)

// lines hands the output of a process to the log and remembers how it ended.
type lines struct {
	log    func(level, line string)
	hide   func(string) string
	exited <-chan struct{} // when it is closed, the rate no longer matters

	mu      sync.Mutex
	second  time.Time // when the current second began
	written int       // lines in it
	dropped int       // lines since the last one that was handed over
	last    string    // the last line, or the one that says why the process died
	fatal   bool      // last is such a line
}

// copy reads r to its end. It never fails the process: lines are cut, and what is no text becomes some.
func (l *lines) copy(r io.Reader, level string) {
	defer l.flush()
	buf, line := make([]byte, 32<<10), []byte(nil)
	begin, taken := time.Now(), 0
	for {
		n, err := r.Read(buf)
		for rest := buf[:n]; len(rest) > 0; {
			at := bytes.IndexByte(rest, '\n')
			if at < 0 {
				line = appendBounded(line, rest)
				break
			}
			l.line(appendBounded(line, rest[:at]), level)
			line, rest = line[:0], rest[at+1:]
		}
		if err != nil {
			if len(line) > 0 {
				l.line(line, level)
			}
			return
		}
		if taken += n; taken > bytesPerSecond {
			l.pause(time.Second - time.Since(begin))
			begin, taken = time.Now(), 0
		}
	}
}

// pause waits, but not for a process that has ended.
func (l *lines) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.exited:
	}
}

// appendBounded appends what a line still has room for.
func appendBounded(line, more []byte) []byte {
	return append(line, more[:min(len(more), max(0, maxLine-len(line)))]...)
}

// line takes one line.
func (l *lines) line(raw []byte, level string) {
	text := l.hide(protocol.Line(string(raw)))
	if text == "" {
		return
	}
	level = levelOf(raw, level)
	l.mu.Lock()
	l.remember(text)
	now := time.Now()
	if now.Sub(l.second) >= time.Second {
		l.second, l.written = now, 0
	}
	l.written++
	drop := l.written > linesPerSecond
	if drop {
		l.dropped++
	}
	first := l.dropped == 1
	l.mu.Unlock()
	switch {
	case !drop:
		l.flush()
		l.log(level, text)
	case first:
		l.log("warn", fmt.Sprintf("lines are dropped: the plugin writes more than %d a second", linesPerSecond))
	}
}

// flush says how many lines were dropped.
func (l *lines) flush() {
	l.mu.Lock()
	n := l.dropped
	l.dropped = 0
	l.mu.Unlock()
	if n > 0 {
		l.log("warn", fmt.Sprintf("%d lines were dropped", n))
	}
}

// remember keeps the last line. Of a Go program that dies it keeps the line that says why, not the stack below it.
func (l *lines) remember(text string) {
	fatal := strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") || strings.HasPrefix(text, "runtime: out of memory")
	if fatal || !l.fatal {
		l.last, l.fatal = text, fatal
	}
}

// lastLine returns what the process said last, "" if nothing.
func (l *lines) lastLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// levelOf finds the level of a line: the field level or @level of a JSON object, a prefix like [WARN], or what a dying Go program
// writes. A field that is no text is no level.
func levelOf(raw []byte, otherwise string) string {
	text := strings.TrimSpace(string(raw))
	if strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") {
		return "error"
	}
	if strings.HasPrefix(text, "[") {
		if word, _, ok := strings.Cut(text[1:], "]"); ok {
			return knownLevel(word, otherwise)
		}
	}
	if !strings.HasPrefix(text, "{") {
		return otherwise
	}
	var entry map[string]any
	if json.Unmarshal([]byte(text), &entry) != nil {
		return otherwise
	}
	for _, key := range []string{"level", "@level", "severity"} {
		if word, ok := entry[key].(string); ok {
			return knownLevel(word, otherwise)
		}
	}
	return otherwise
}

func knownLevel(word, otherwise string) string {
	switch strings.ToLower(word) {
	case "trace", "debug":
		return "debug"
	case "info", "notice":
		return "info"
	case "warn", "warning":
		return "warn"
	case "error", "fatal", "panic", "critical":
		return "error"
	}
	return otherwise
}
