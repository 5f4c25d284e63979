package demo

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"time"
	"unicode/utf16"
)

// recorder turns what happens in the world into records of every sensor that
// would have seen it. The story and the noise have one each, with random
// numbers of their own, over the same world and queue.
type recorder struct {
	world *world
	queue *queue
	rand  *rand.Rand
	out   *outputs
	ports int // firstPort or storyPort: where this recorder's source ports begin
}

// Source ports. The noise keeps below storyPort, so that a 5-tuple of the story
// occurs once however much noise there is.
const (
	firstPort = 49152
	storyPort = 64000
	portSpan  = 14000
)

// process is a running program on a host.
type process struct {
	host    *host
	program *program
	account *account
	parent  *process
	guid    string
	command string
	pid     int
}

// newProcess gives a program the next process id and guid of the host. A
// Sysmon guid is made of the machine, the start in seconds and a counter.
func (h *host) newProcess(at instant, p *program) *process {
	h.guid++
	h.pid += 4 * (1 + h.guid%7)
	if h.pid > 60000 {
		h.pid = 2400
	}
	sec := uint32(at / 1e6)
	guid := fmt.Sprintf("{%s-%04x-%04x-%04x-%08x0800}", h.machine, sec&0xffff, sec>>16, h.guid&0xffff, h.guid>>16)
	return &process{host: h, program: p, guid: guid, pid: h.pid}
}

// spawn starts a program as a child, for the parent's account. It records nothing.
func (r *recorder) spawn(at instant, parent *process, program, command string) *process {
	p := parent.host.newProcess(at, r.world.programs[program])
	p.account, p.parent, p.command = parent.account, parent, command
	return p
}

func (r *recorder) between(low, high int) int { return low + r.rand.IntN(high-low+1) }

func (r *recorder) chance(percent int) bool { return r.rand.IntN(100) < percent }

// millis is a random duration.
func (r *recorder) millis(low, high int) time.Duration {
	return time.Duration(r.between(low*1000, high*1000)) * time.Microsecond
}

// sourcePort hands out ports in sequence, as Windows does.
func (r *recorder) sourcePort(h *host) int {
	if r.ports == storyPort {
		h.port++
		return storyPort + h.port%(65535-storyPort)
	}
	h.port += 1 + h.port%3
	return firstPort + h.port%portSpan
}

// encoded is what powershell.exe takes after -EncodedCommand: UTF-16LE in base64.
func encoded(script string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(script)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return base64.StdEncoding.EncodeToString(b)
}
