package hunt

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
)

// ErrIngested says that an input with the same digest has been ingested already. There is nothing left to do: callers count it and go
// on with the next input.
var ErrIngested = errors.New("the input has been ingested already")

// Sink is a connection that events can be written to: each input exactly once, each event exactly once.
type Sink interface {
	// Has says whether an input with that digest has been ingested.
	Has(ctx context.Context, digest string) (bool, error)
	// Begin starts one commit of one or several inputs; ErrIngested if one of them is there already. ctx ends what the commit does.
	Begin(ctx context.Context, inputs ...Input) (SinkWriter, error)
}

// SinkWriter takes the events of one commit. It is not safe for concurrent use; several writers may work on one sink. End it with
// Commit or Abort. Errors are *Error; after one it can only be aborted.
type SinkWriter interface {
	// Append takes events of one stream, in any order, with the columns that Schema makes; a column that rec lacks is null. It may
	// keep rec until Commit.
	Append(stream *Stream, rec arrow.RecordBatch) error
	// Commit makes the inputs ingested, with what the caller counted of each, in the order of Begin.
	Commit(counts ...Counts) error
	// Abort gives up a commit; after Commit it does nothing.
	Abort()
	// Written returns how many events of a commit were new, and how many were there already.
	Written() (rows, duplicates int64)
}

// Input identifies what is ingested.
type Input struct {
	Name   string `json:"name"`   // for people: the file's name
	Digest string `json:"digest"` // hash of the content; an input is ingested once for each digest
}

// Counts is what the caller of a SinkWriter knows about one input when it ends. The writer counts rows, duplicates and rows without a
// time itself.
type Counts struct {
	Records  int64 // records in the input, decoded or not
	Rejected int64 // records that could not be decoded, so that they are not in the sink
}
