package wrap

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// flight is one search at the source with those who read it: whoever asks the same while it runs reads along. It runs in a goroutine of
// its own and under a context of its own, so that a reader who leaves takes nothing from the others; when all have left it is cancelled.
//
// Frames stay in the log until all readers have read them, and at first also for readers to come: who joins reads from the first
// frame. When the bound of Memory is reached, no more may join; then readers behind the foremost are cut loose, and go on with a
// search of their own. So nobody waits for a slow reader, and the log of a slow reader is bounded.
type flight struct {
	memory *Memory
	key    digest
	cancel context.CancelCauseFunc
	task   *task
	wakeup chan struct{} // wakes the search, which waits for room

	mu       sync.Mutex
	log      []entry
	base     int // number of log[0]; frames are numbered from 0
	joinable bool
	readers  []*reader
	ended    bool
	err      *hunt.Error // why it ended, nil after End
	bytes    int64       // of the log
	promised int64       // reserved for the frame that is being asked for
	estimate int64       // the size of the last batch
	record   *recording
}

// entry is a frame of the log.
type entry struct {
	frame hunt.Frame
	bytes int64
}

// reader is one who reads a flight. Its fields are the flight's.
type reader struct {
	f        *flight
	at       int  // number of the frame that it has in hand, or of the next
	holds    bool // it has a frame in hand: it has not asked for the next one
	waiting  bool
	cut      bool
	wake     chan struct{}
	deadline time.Time // the zero time for none
}

// joinFrames is how many frames are kept for readers to come, as far as memory allows.
const joinFrames = 64

var (
	// errLeft ends a search that nobody reads any more.
	errLeft = errors.New("nobody reads the answer any more")
	// errStopped ends the connector's part of a search.
	errStopped = errors.New("the search is over")
	// errCut tells a reader to go on with a search of its own.
	errCut = errors.New("the reader was too slow for the others")
)

func newFlight(m *Memory, key digest, joinable bool) *flight {
	return &flight{memory: m, key: key, joinable: joinable, wakeup: make(chan struct{}, 1), estimate: smallFrame}
}

// join adds a reader, nil if it is too late.
func (f *flight) join(ctx context.Context, first bool) *reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !first && (!f.joinable || f.ended || len(f.readers) == 0) {
		return nil
	}
	r := &reader{f: f, wake: make(chan struct{}, 1)}
	r.deadline, _ = ctx.Deadline()
	f.readers = append(f.readers, r)
	return r
}

// next returns the next frame and its size; the reader has done with the one before. The error is errCut, that of the search, or the
// cause of ctx's end. The last frame is End; there is nothing to ask for after it.
func (r *reader) next(ctx context.Context) (entry, error) {
	r.f.advance(r)
	for {
		e, ok, err := r.f.read(r)
		if ok || err != nil {
			return e, err
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return entry{}, context.Cause(ctx)
		}
	}
}

// advance lets go of the frame in hand.
func (f *flight) advance(r *reader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.holds {
		r.at++
		r.holds = false
		f.trim()
	}
}

// read takes the next frame if there is one.
func (f *flight) read(r *reader) (e entry, ok bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer notify(f.wakeup)
	switch {
	case r.cut:
		return e, false, errCut
	case r.at < f.base+len(f.log):
		r.holds, r.waiting = true, false
		return f.log[r.at-f.base], true, nil
	case f.ended && f.err != nil:
		return e, false, f.err
	case f.ended:
		return e, false, &hunt.Error{Op: "search", Code: hunt.StreamWithoutEnd, Message: "the answer was read to its end before"}
	}
	r.waiting = true
	return e, false, nil
}

// leave takes a reader out. The last one cancels the search and waits for it; that is within a second, because nothing that the search
// does outlasts its context by more than the grace of a connector.
func (r *reader) leave() {
	if r.f.remove(r) {
		r.f.cancel(errLeft)
		<-r.f.task.done
	}
}

func (f *flight) remove(r *reader) (last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers = slices.DeleteFunc(f.readers, func(o *reader) bool { return o == r })
	f.trim()
	notify(f.wakeup)
	return len(f.readers) == 0
}

// give appends a frame. It does not wait: room has been asked for before, as far as that was known.
func (f *flight) give(frame hunt.Frame) {
	n := sizeOf(frame)
	if f.record != nil {
		f.record = f.record.add(frame, n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uncharge(f.promised)
	f.promised = 0
	if !f.charge(n) && !f.shed(n) {
		f.memory.add(n)
		f.bytes += n
	}
	if _, ok := frame.(*hunt.Batch); ok {
		f.estimate = n
	}
	f.log = append(f.log, entry{frame, n})
	f.trim()
	for _, r := range f.readers {
		if r.waiting {
			notify(r.wake)
		}
	}
}

// shed makes room for n bytes: what is kept for readers to come goes first, then what is kept for readers that are behind.
func (f *flight) shed(n int64) bool {
	f.joinable = false
	f.trim()
	if f.charge(n) {
		return true
	}
	if lead := f.lead(); lead != nil {
		f.readers = slices.DeleteFunc(f.readers, func(r *reader) bool {
			r.cut = r.at < lead.at
			return r.cut
		})
	}
	f.trim()
	return f.charge(n)
}

// charge takes n bytes of the shares of the search and of the gateway, if both have room.
func (f *flight) charge(n int64) bool {
	if f.bytes+n > f.memory.search || !f.memory.reserve(n) {
		return false
	}
	f.bytes += n
	return true
}

func (f *flight) uncharge(n int64) {
	f.bytes -= n
	f.memory.add(-n)
}

// trim drops frames that nobody needs.
func (f *flight) trim() {
	if f.joinable && len(f.log) <= joinFrames && len(f.readers) > 0 {
		return
	}
	f.joinable = false
	least := f.base + len(f.log)
	for _, r := range f.readers {
		least = min(least, r.at)
	}
	for ; f.base < least; f.base++ {
		f.uncharge(f.log[0].bytes)
		f.log[0] = entry{} // the array of the log must not keep it
		f.log = f.log[1:]
	}
}

// lead returns the foremost reader, nil if there is none.
func (f *flight) lead() *reader {
	var lead *reader
	for _, r := range f.readers {
		if lead == nil || r.at > lead.at {
			lead = r
		}
	}
	return lead
}

// room waits until the source may be asked for more: the foremost reader waits, or it has the last frame in hand and memory has room
// for one more. The error is the cause of ctx's end.
func (f *flight) room(ctx context.Context) error { return f.until(ctx, f.mayAsk) }

// drained waits until the foremost reader has read all that is there and waits for more. The error is the cause of ctx's end.
func (f *flight) drained(ctx context.Context) error { return f.until(ctx, f.thirsty) }

// until waits until holds, which is asked again whenever a reader has done something. The error is the cause of ctx's end.
func (f *flight) until(ctx context.Context, holds func() bool) error {
	for !holds() {
		select {
		case <-f.wakeup:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (f *flight) thirsty() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	lead := f.lead()
	return lead != nil && lead.waiting && f.unread(lead) <= 0
}

// unread is how many frames a reader has neither read nor in hand.
func (f *flight) unread(r *reader) int {
	n := f.base + len(f.log) - r.at
	if r.holds {
		n--
	}
	return n
}

func (f *flight) mayAsk() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	lead := f.lead()
	if lead == nil { // all have left: the search is about to be cancelled
		return false
	}
	unread := f.unread(lead)
	if unread > 0 || lead.waiting {
		return unread <= 0
	}
	if f.promised == 0 && f.charge(f.estimate) {
		f.promised = f.estimate
	}
	return f.promised > 0
}

// finish ends the flight; err is nil after End.
func (f *flight) finish(err *hunt.Error) {
	if err == nil && f.record != nil {
		f.record.keep()
	} else if f.record != nil {
		f.record.drop()
	}
	f.record = nil
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uncharge(f.promised)
	f.promised = 0
	f.ended, f.err, f.joinable = true, err, false
	f.trim()
	for _, r := range f.readers {
		notify(r.wake)
	}
}

// deadline returns when the last of the readers has to have its answer; false if one of them has no deadline.
func (f *flight) deadline() (at time.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.readers {
		if r.deadline.IsZero() {
			return time.Time{}, false
		}
		if r.deadline.After(at) {
			at = r.deadline
		}
	}
	return at, len(f.readers) > 0
}

// notify wakes who waits on c, now or at its next wait.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
