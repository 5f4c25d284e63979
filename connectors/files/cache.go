package files

import (
	"container/list"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
)

// batch is a mapped batch with the range of its times.
type batch struct {
	rec      arrow.RecordBatch
	min, max int64 // microseconds, inclusive; only if timed
	timed    bool
}

func newBatch(rec arrow.RecordBatch) *batch {
	lo, hi, n := times(rec)
	return &batch{rec: rec, min: lo, max: hi, timed: n > 0}
}

// cache bounds the memory of mapped columns. It drops whole segments, the least recently used first.
type cache struct {
	mu    sync.Mutex
	limit int64
	used  int64
	order *list.List // of *segment that are complete, the most recently used first
	at    map[*segment]*list.Element
}

func newCache(limit int64) *cache {
	return &cache{limit: limit, order: list.New(), at: map[*segment]*list.Element{}}
}

// add keeps a batch of a segment that is being mapped; false if there is no room for the segment, and then nothing of it is kept.
func (c *cache) add(s *segment, key streamKey, rec arrow.RecordBatch) bool {
	size := sizeOf(rec)
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.cached == nil {
		s.cached = map[streamKey][]*batch{}
	}
	s.cached[key] = append(s.cached[key], newBatch(rec))
	s.bytes += size
	c.used += size
	for c.used > c.limit && c.order.Len() > 0 {
		c.forget(c.order.Back().Value.(*segment))
	}
	if c.used > c.limit {
		c.forget(s)
		return false
	}
	return true
}

// keep makes a segment that add was called for part of the cache.
func (c *cache) keep(s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.cached != nil && c.at[s] == nil {
		c.at[s] = c.order.PushFront(s)
	}
}

// get returns the batches of a segment; false if the cache does not hold them.
func (c *cache) get(s *segment, key streamKey) ([]*batch, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.cached == nil {
		return nil, false
	}
	if e := c.at[s]; e != nil {
		c.order.MoveToFront(e)
	}
	return s.cached[key], true
}

// drop forgets a segment that no state has any more.
func (c *cache) drop(s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(s)
}

func (c *cache) forget(s *segment) {
	c.used -= s.bytes
	s.cached, s.bytes = nil, 0
	if e := c.at[s]; e != nil {
		c.order.Remove(e)
		delete(c.at, s)
	}
}

// sizeOf is the memory of a batch's buffers in bytes.
func sizeOf(rec arrow.RecordBatch) int64 {
	var n int64
	for _, col := range rec.Columns() {
		n += sizeOfData(col.Data())
	}
	return n
}

func sizeOfData(d arrow.ArrayData) int64 {
	var n int64
	for _, b := range d.Buffers() {
		if b != nil {
			n += int64(b.Cap())
		}
	}
	for _, kid := range d.Children() {
		n += sizeOfData(kid)
	}
	return n
}
