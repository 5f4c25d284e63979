package demo

import "container/heap"

// domain is one of the four kinds of telemetry.
type domain int

const (
	endpoint domain = iota
	network
	cloud
	identity
	domains
)

// output is one stream of records in native form. write gets records in time
// order and must not keep body. close flushes and returns the first error.
type output interface {
	domain() domain
	write(at instant, body []byte) error
	close() error
}

type record struct {
	at   instant
	seq  uint64
	to   output
	body []byte
}

// queue puts records in time order: an episode adds all its records at once,
// some of them minutes ahead, and drain writes what nothing can precede any
// more. Records of equal time keep the order in which they were added.
type queue struct {
	records recordHeap
	seq     uint64
	free    [][]byte
	end     instant
	added   [domains]int
	written int
}

// buffer returns an empty buffer for a body; add gives it back to the queue.
func (q *queue) buffer() []byte {
	n := len(q.free)
	if n == 0 {
		return make([]byte, 0, 1024)
	}
	b := q.free[n-1]
	q.free = q.free[:n-1]
	return b[:0]
}

// add takes a record. What would lie at or after the end of the window has not
// happened yet: it is neither written nor counted.
func (q *queue) add(at instant, to output, body []byte) {
	if at >= q.end {
		q.free = append(q.free, body)
		return
	}
	q.seq++
	q.added[to.domain()]++
	heap.Push(&q.records, record{at, q.seq, to, body})
}

// drain writes every record before until.
func (q *queue) drain(until instant) error {
	for len(q.records) > 0 && q.records[0].at < until {
		r := heap.Pop(&q.records).(record)
		if err := r.to.write(r.at, r.body); err != nil {
			return err
		}
		q.free = append(q.free, r.body)
		q.written++
	}
	return nil
}

type recordHeap []record

func (h recordHeap) Len() int { return len(h) }

func (h recordHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}

func (h recordHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h *recordHeap) Push(x any) { *h = append(*h, x.(record)) }

func (h *recordHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	(*h)[last] = record{}
	*h = (*h)[:last]
	return r
}
