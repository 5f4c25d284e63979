package elastic

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/harrier-xdr/harrier/hunt"
)

// gap is something that could not be read.
type gap struct {
	part string // index, or index and shard
	err  *hunt.Error
}

// tell makes the frame of a gap; false if the gap was told before. A gap may last, so that it may have lost what comes after it, too.
func (s *search) tell(g gap, at period) (hunt.PartFailed, bool) {
	s.gaps.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	key := g.part + "\x00" + string(g.err.Code)
	if s.told[key] {
		return hunt.PartFailed{}, false
	}
	s.told[key] = true
	lost := s.unit.micros(at)
	if s.t.Request.Order == hunt.TimeDesc {
		lost.Start = min(lost.Start, s.t.Request.Range.Start)
	} else {
		lost.End = max(lost.End, s.t.Request.Range.End)
	}
	lost = hunt.TimeRange{Start: max(lost.Start, s.t.Request.Range.Start), End: min(lost.End, s.t.Request.Range.End)}
	return hunt.PartFailed{Part: g.part, Lost: &lost, Err: g.err}, true
}

// missing makes the gap of indices that are not there or may not be read.
func missing(index string, err error) gap {
	e := hunt.AsError(err, hunt.SourceFailed)
	copied := *e
	copied.Source = index
	return gap{index, &copied}
}

// check returns what an answer says that it lacks. A complete answer has all shards, all of them successful, no time-out and no early
// end; each of the products leaves one of these signs out in some cases.
func (s *search) check(e *envelope, p *part) []gap {
	names := strings.Join(p.indices, ",")
	if len(p.indices) > 3 {
		names = strings.Join(p.indices[:3], ",") + fmt.Sprintf(" and %d more", len(p.indices)-3)
	}
	fail := func(code hunt.Code, format string, args ...any) gap {
		err := s.e.client.fail(code, true, fmt.Sprintf(format, args...))
		err.Source = names
		return gap{names, err}
	}
	var out []gap
	for _, f := range e.Shards.Failures {
		out = append(out, s.shardGap(f, names))
	}
	switch sh := e.Shards; {
	case sh.Total == 0:
		out = append(out, fail(hunt.SourceChanged, "no shard was searched; the indices were deleted or closed meanwhile"))
	case sh.Successful < sh.Total && len(out) == 0:
		out = append(out, fail(hunt.SourceUnavailable, "%d of %d shards did not answer; see _cat/shards for those that are not assigned", sh.Total-sh.Successful, sh.Total))
	}
	if e.TimedOut {
		out = append(out, fail(hunt.SourceTimeout, "the cluster stopped the search at its time limit (search.default_search_timeout)"))
	}
	if e.Terminated {
		out = append(out, fail(hunt.SourceFailed, "the cluster ended the search early"))
	}
	return out
}

// shardGap is the gap of one shard.
func (s *search) shardGap(f shardFailure, names string) gap {
	index := f.Index
	if index == "" {
		index = f.Reason.Index
	}
	if index == "" {
		index = names
	}
	code, retryable := hunt.SourceFailed, true
	switch {
	case f.Reason.Type == noCopy:
		code, f.Reason.Reason = s.absence(index)
	case throttling(f.Reason.Type):
		code = hunt.SourceThrottled
	case slices.Contains([]string{"index_not_found_exception", "index_closed_exception", "search_context_missing_exception", "shard_not_found_exception"}, f.Reason.Type):
		code = hunt.SourceChanged
	case strings.Contains(f.Reason.Type, "shard") || strings.Contains(f.Reason.Type, "node"):
		code = hunt.SourceUnavailable
	case strings.Contains(f.Reason.Type, "time_exceeded"):
		code = hunt.SourceTimeout
	case strings.Contains(f.Reason.Type, "corrupt"):
		code, retryable = hunt.SourceDamaged, false
	default:
		retryable = false
	}
	name := fmt.Sprintf("%s shard %d", index, f.Shard)
	err := s.e.client.fail(code, retryable, shorten(f.Reason.Type+": "+f.Reason.Reason))
	err.Source = name
	return gap{name, err}
}

// noCopy is what a cluster says of a shard of which there is no copy that can be asked.
const noCopy = "no_shard_available_action_exception"

// absence finds out why there is no copy of a shard, once for each index.
func (s *search) absence(index string) (hunt.Code, string) {
	deleted, _ := s.deleted.LoadOrStore(index, sync.OnceValue(func() bool { return s.vanishes(index) }))
	if deleted.(func() bool)() {
		return hunt.SourceChanged, "the index was deleted while it was read; ask again"
	}
	return hunt.SourceUnavailable, "no node holds the shard; see _cat/shards and _cluster/allocation/explain"
}

// vanishing is how long an index that is being deleted may still be named by a node that holds no shard of it any more: a node takes the
// shards away before it lets go of the state of the cluster in which they are.
const vanishing = time.Second

// vanishes says whether an index is not there any more, now or in a moment.
func (s *search) vanishes(index string) bool {
	ctx, cancel := context.WithTimeout(s.ctx, vanishing)
	defer cancel()
	for wait := vanishing / 64; ; wait *= 2 {
		_, err := s.e.client.do(ctx, esapi.IndicesExistsRequest{Index: []string{index}}, nil)
		if r := refusalOf(err); r != nil && r.status == http.StatusNotFound {
			return true
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

func throttling(kind string) bool {
	return strings.Contains(kind, "rejected_execution") || kind == "circuit_breaking_exception"
}
