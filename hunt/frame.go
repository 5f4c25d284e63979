package hunt

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// Frame is one message of a Search: *Batch, Progress, Watermark, Throttled, PartFailed, Rejected or End.
type Frame interface{ frame() }

// Batch holds events of one class as Arrow columns, 1 to 64k rows in the request's order. Columns are named by dotted OCSF path; an
// array of objects is one list-of-struct column whose fields are named by the path below the array. uid and time are always there. A
// batch is immutable; its memory is Go's, so nobody has to release it.
type Batch struct{ Record arrow.RecordBatch }

// Progress says how far a search has come.
type Progress struct {
	RowsScanned int64 // since the start of the search
	Done, Total int64 // parts (files, shards) finished and in all; 0, 0 if not known
}

// Watermark says that the source holds every event before Time (microseconds, UTC).
type Watermark struct{ Time int64 }

// Throttled says that the source makes the search wait.
type Throttled struct{ RetryAfter time.Duration }

// PartFailed says that a part of the source could not be searched, or not to its end.
type PartFailed struct {
	Part string     // file, shard or partition
	Lost *TimeRange // what it may have held, nil if not known
	Err  *Error
}

// Rejected says that records were there but could not be decoded, so they were not searched.
type Rejected struct {
	Part   string // file
	Count  int64
	Offset int64  // of the first of them, in bytes of the uncompressed part
	Reason string // of the first of them
}

// End is the last frame of a complete search.
type End struct {
	Truncated   bool   // the source has more rows that this search cannot give
	Reason      string // why it is truncated
	RowsScanned int64
	// Duplicates counts identical records that were left out as one event: those that the search met, or all of the stream where a source
	// counts them when it keeps them. Of the searches of one answer the largest counts, so that none is counted twice.
	Duplicates int64
	Untimed    int64 // events of the stream that have no time and so are in no range
}

func (*Batch) frame()     {}
func (Progress) frame()   {}
func (Watermark) frame()  {}
func (Throttled) frame()  {}
func (PartFailed) frame() {}
func (Rejected) frame()   {}
func (End) frame()        {}
