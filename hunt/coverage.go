package hunt

import "time"

// State says how one stream was searched.
type State string

// The states of a coverage line.
const (
	Complete        State = "COMPLETE"
	Partial         State = "PARTIAL"   // some of it was searched; the error says what was not
	Failed          State = "FAILED"    // nothing can be relied on
	TimedOut        State = "TIMED_OUT" // the deadline came first
	ThrottledOut    State = "THROTTLED"
	Denied          State = "DENIED"
	Pruned          State = "PRUNED"     // it cannot hold such rows, so it was not asked
	ImpossibleState State = "IMPOSSIBLE" // it has no attribute that the hunt asks for, so it could not be asked
)

// StateOf is the state of a stream that failed with a code.
func StateOf(c Code) State {
	switch c {
	case SourceDenied:
		return Denied
	case SourceThrottled:
		return ThrottledOut
	case SourceTimeout:
		return TimedOut
	}
	return Failed
}

// Verdict is what a hunt may conclude.
type Verdict string

// The verdicts. NOT_FOUND_PARTIAL means: nothing came, but not everything was searched.
const (
	Found            Verdict = "FOUND"
	NotFoundComplete Verdict = "NOT_FOUND_COMPLETE"
	NotFoundPartial  Verdict = "NOT_FOUND_PARTIAL"
)

// Line says what was and was not searched in one stream of one connection of one tenant.
type Line struct {
	Tenant       string
	Connection   string
	Stream       string
	Class        string // OCSF name
	State        State
	Reason       string    // why it was pruned or impossible
	Missing      []string  // dotted OCSF paths that the stream lacks and the hunt asks for
	Searched     TimeRange // the range that was really searched; empty if none
	Watermark    int64     // microseconds; 0 if the source gives none
	RowsScanned  int64     // -1 if not known
	RowsReturned int64     // of this page or stream
	Duplicates   int64
	Untimed      int64
	Nulled       int64 // values that are no value of their column's type and read as missing; -1 if not known
	NulledFirst  string
	Rejected     int64
	Rejects      []Rejected   // the first ones
	Parts        []PartFailed // the first ones
	PartsFailed  int64        // all of them
	Notes        []string     // what the connection does not search, and why
	Truncated    bool
	Dispositions []Disposed
	Native       string
	Err          *Error
	Throttled    time.Duration // how long the source, or the limit that it asks for, made the search wait in all
	Kept         *TimeRange    // what the source still has of the hunt's range; nil if its retention covers the range or it does not say
	Took         time.Duration
}

// Coverage says what was and was not searched by a hunt, one line per tenant, connection and stream.
type Coverage struct{ Lines []Line }

// Complete says whether everything that could hold such rows was searched to its end. Where there is nothing to search, nothing was
// searched: that is not complete.
func (c *Coverage) Complete() bool {
	if len(c.Lines) == 0 {
		return false
	}
	for i := range c.Lines {
		l := &c.Lines[i]
		if l.State != Complete && l.State != Pruned || l.Truncated {
			return false
		}
	}
	return true
}

// Verdict returns what the hunt may conclude from rows rows.
func (c *Coverage) Verdict(rows int64) Verdict {
	switch {
	case rows > 0:
		return Found
	case c.Complete():
		return NotFoundComplete
	}
	return NotFoundPartial
}
