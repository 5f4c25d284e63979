package wrap

import (
	"cmp"
	"container/list"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// Cache keeps complete answers, within a bound of bytes; the one that was not asked for the longest goes first. Make it with NewCache.
//
// Kept is only what came to its End, was not truncated and told of no gap, and only if it is an answer of a snapshot or the connection
// has a CacheTTL. An answer is found again by all that decides it: connection, request, translation, and what the connection says of
// itself and of the stream.
type Cache struct {
	max     int64
	mu      sync.Mutex
	used    int64 // of what is kept and what is being recorded
	entries map[cacheKey]*list.Element
	lru     list.List // of *kept, the last used in front
}

type cacheKey struct {
	ref            hunt.ConnectionRef
	search, stream digest
}

// kept is a complete answer.
type kept struct {
	key     cacheKey
	frames  []hunt.Frame
	bytes   int64
	expires time.Time // the zero time for never
}

// NewCache makes a cache of at most so many bytes; 0 is 256 MiB.
func NewCache(bytes int64) *Cache {
	return &Cache{max: cmp.Or(bytes, 256<<20), entries: map[cacheKey]*list.Element{}}
}

// Used returns the bytes of answers that are kept or being recorded.
func (c *Cache) Used() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// find returns the frames of an answer, nil if there is none. They must not be changed.
func (c *Cache) find(key cacheKey) []hunt.Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.entries[key]
	if at == nil {
		return nil
	}
	k := at.Value.(*kept)
	if !k.expires.IsZero() && !time.Now().Before(k.expires) {
		c.remove(at)
		return nil
	}
	c.lru.MoveToFront(at)
	return k.frames
}

func (c *Cache) remove(at *list.Element) {
	k := c.lru.Remove(at).(*kept)
	delete(c.entries, k.key)
	c.used -= k.bytes
}

// reserve makes room for n bytes, if that can be.
func (c *Cache) reserve(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.used+n > c.max && c.lru.Len() > 0 {
		c.remove(c.lru.Back())
	}
	if c.used+n > c.max {
		return false
	}
	c.used += n
	return true
}

// recording is an answer on its way into the cache. A nil one records nothing. Its methods are for one goroutine.
type recording struct {
	c *Cache
	k kept
}

// record begins to record an answer; ttl is 0 if it stays true.
func (c *Cache) record(key cacheKey, ttl time.Duration) *recording {
	r := &recording{c: c, k: kept{key: key}}
	if ttl > 0 {
		r.k.expires = time.Now().Add(ttl)
	}
	return r
}

// add takes the next frame and returns what goes on recording: nil if the answer is not one to keep, or is too large. That a search
// had to wait is of the moment and is left out.
func (r *recording) add(f hunt.Frame, size int64) *recording {
	switch f := f.(type) {
	case hunt.Throttled:
		return r
	case hunt.PartFailed, hunt.Rejected:
		return r.drop()
	case hunt.End:
		if f.Truncated {
			return r.drop()
		}
	}
	if r.k.bytes+size > r.c.max/4 || !r.c.reserve(size) {
		return r.drop()
	}
	r.k.bytes += size
	r.k.frames = append(r.k.frames, f)
	return r
}

// drop gives the room back; it returns nil.
func (r *recording) drop() *recording {
	if r != nil {
		r.c.mu.Lock()
		defer r.c.mu.Unlock()
		r.c.used -= r.k.bytes
	}
	return nil
}

// keep puts a complete answer into the cache, in place of an older one.
func (r *recording) keep() {
	if r == nil {
		return
	}
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if at := r.c.entries[r.k.key]; at != nil {
		r.c.remove(at)
	}
	r.c.entries[r.k.key] = r.c.lru.PushFront(&r.k)
}
