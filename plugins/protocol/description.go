package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/harrier-xdr/harrier/hunt"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Described is a description with the tag that it is sent with; "" for none.
type Described struct {
	Description *hunt.Description
	Tag         string
}

// Describer writes the answers to Describe. It remembers the last description, because to compare two is ten times cheaper than to write
// one. It is safe for concurrent use; the zero Describer is ready.
type Describer struct{ said atomic.Pointer[Described] }

// Answer writes the answer to a host that knows the description with the tag known: it is not sent again if it is the same. d must not be
// changed any more. The error is a *hunt.Error.
func (r *Describer) Answer(d *hunt.Description, known string) (*pb.DescribeResponse, error) {
	if said := r.said.Load(); said != nil && said.Tag == known && reflect.DeepEqual(d, said.Description) {
		return unchanged(known), nil
	}
	out := EncodeDescription(d)
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(out)
	if err != nil {
		return nil, hunt.Errorf(hunt.Internal, "the description cannot be written: %w", err)
	}
	sum := sha256.Sum256(raw)
	tag := hex.EncodeToString(sum[:])
	r.said.Store(&Described{d, tag})
	if tag == known {
		return unchanged(tag), nil
	}
	return &pb.DescribeResponse{Result: &pb.DescribeResponse_Description{Description: out}, Tag: tag}, nil
}

func unchanged(tag string) *pb.DescribeResponse {
	return &pb.DescribeResponse{Result: &pb.DescribeResponse_Unchanged{Unchanged: true}, Tag: tag}
}

// DecodeDescribed reads and checks the answer to a request with the tag of known, which may be nil. The error is a *hunt.Error: that of
// the plugin, or PLUGIN_PROTOCOL.
func DecodeDescribed(r *pb.DescribeResponse, known *Described) (*Described, error) {
	switch got := r.GetResult().(type) {
	case *pb.DescribeResponse_Error:
		return nil, DecodeError(got.Error)
	case *pb.DescribeResponse_Unchanged:
		if known == nil || known.Tag == "" || r.GetTag() != known.Tag {
			return nil, broken("a description is said to be unchanged that was not sent before")
		}
		return known, nil
	}
	d, err := DecodeDescription(r.GetDescription())
	if err != nil {
		return nil, err
	}
	return &Described{d, Line(r.GetTag())}, nil
}

// EncodeDescription writes a description. Artifact is not part of the wire: the host knows better what it has started.
func EncodeDescription(d *hunt.Description) *pb.Description {
	out := &pb.Description{
		Connector: text(d.Connector), Version: text(d.Version), Backend: text(d.Backend), ClockSkew: int64(d.ClockSkew), Unread: text(d.Unread),
		Snapshot: []byte(d.Snapshot),
	}
	for _, n := range d.Notes {
		out.Notes = append(out.Notes, text(n))
	}
	for i := range d.Streams {
		out.Streams = append(out.Streams, encodeStream(&d.Streams[i]))
	}
	for _, x := range d.Denied {
		out.Denied = append(out.Denied, &pb.Denial{Action: text(x.Action), Object: text(x.Object), Message: text(x.Message)})
	}
	for _, l := range d.Limits {
		scope := pb.LimitScope(slices.Index(scopes(), l.Scope) + 1)
		out.Limits = append(out.Limits, &pb.Limit{Scope: scope, Key: text(l.Key), Concurrent: int64(l.Concurrent), Searches: int64(l.Searches), Per: int64(l.Per)})
	}
	for _, q := range d.Quota {
		out.Quota = append(out.Quota, &pb.Quota{Name: text(q.Name), Left: q.Left, Of: q.Of, Reset_: q.Reset})
	}
	return out
}

// scopes lists the scopes of limits in the order of their numbers, which begin at 1.
func scopes() []hunt.LimitScope {
	return []hunt.LimitScope{hunt.PerConnection, hunt.PerAccount, hunt.PerEndpoint}
}

func encodeStream(s *hunt.Stream) *pb.Stream {
	out := &pb.Stream{
		Name: text(s.Name), Time: encodeRange(s.Time), Untimed: s.Untimed, Nulled: s.Nulled, NulledFirst: text(s.NulledFirst), Rows: s.Rows,
		Retention: int64(s.Retention), Watermark: s.Watermark, Lag: int64(s.Lag), Ceiling: int64(s.Ceiling), MaxValues: int64(s.MaxValues),
	}
	if s.Class != nil {
		out.ClassUid = s.Class.UID
	}
	for _, path := range slices.Sorted(maps.Keys(s.Attributes)) {
		if s.Attributes[path] {
			out.Attributes = append(out.Attributes, path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(s.Closed)) {
		out.Closed = append(out.Closed, &pb.ClosedValues{Path: path, Values: encodeValues(s.Closed[path])})
	}
	return out
}

// DecodeDescription reads and checks a description. The error is a *hunt.Error with code PLUGIN_PROTOCOL.
func DecodeDescription(d *pb.Description) (*hunt.Description, error) {
	if Line(d.GetConnector()) == "" {
		return nil, broken("a description does not say which kind of connector it is of")
	}
	out := &hunt.Description{
		Connector: Line(d.GetConnector()), Version: Line(d.GetVersion()), Backend: Line(d.GetBackend()),
		ClockSkew: time.Duration(d.GetClockSkew()), Unread: Line(d.GetUnread()), Snapshot: string(d.GetSnapshot()),
	}
	for _, n := range d.GetNotes() {
		out.Notes = append(out.Notes, Line(n))
	}
	for _, x := range d.GetDenied() {
		out.Denied = append(out.Denied, hunt.Denial{Action: Line(x.GetAction()), Object: Line(x.GetObject()), Message: Line(x.GetMessage())})
	}
	for _, q := range d.GetQuota() {
		out.Quota = append(out.Quota, hunt.Quota{Name: Line(q.GetName()), Left: q.GetLeft(), Of: q.GetOf(), Reset: q.GetReset_()})
	}
	if err := decodeLimits(out, d.GetLimits()); err != nil {
		return nil, err
	}
	return out, decodeStreams(out, d.GetStreams())
}

func decodeLimits(out *hunt.Description, list []*pb.Limit) error {
	for _, l := range list {
		at := int(l.GetScope()) - 1
		if at < 0 || at >= len(scopes()) {
			return broken("a limit has the scope %d, which is none", l.GetScope())
		}
		if min(l.GetConcurrent(), l.GetSearches(), l.GetPer()) < 0 || l.GetSearches() > 0 && l.GetPer() == 0 {
			return broken("a limit has negative numbers, or searches without the time that they are for")
		}
		out.Limits = append(out.Limits, hunt.Limit{
			Scope: scopes()[at], Key: Line(l.GetKey()), Concurrent: int(l.GetConcurrent()), Searches: int(l.GetSearches()), Per: time.Duration(l.GetPer()),
		})
	}
	return nil
}

// streamID is what is unique among the streams of a connection.
type streamID struct {
	name  string
	class int64
}

func decodeStreams(out *hunt.Description, list []*pb.Stream) error {
	seen := map[streamID]bool{}
	for _, s := range list {
		stream, err := decodeStream(s)
		if err != nil {
			return err
		}
		id := streamID{stream.Name, stream.Class.UID}
		if seen[id] {
			return broken("stream %q of %s is described twice", stream.Name, stream.Class.Name)
		}
		seen[id] = true
		out.Streams = append(out.Streams, *stream)
	}
	return nil
}

func decodeStream(s *pb.Stream) (*hunt.Stream, error) {
	class, err := decodeClass(s.GetClassUid())
	if err != nil {
		return nil, err
	}
	held, err := decodeRange(s.GetTime())
	if err != nil {
		return nil, err
	}
	if s.GetName() == "" || Line(s.GetName()) != s.GetName() {
		return nil, broken("a stream of %s has the name %.80q, which is no line of text", class.Name, s.GetName())
	}
	if min(s.GetUntimed(), s.GetRetention(), s.GetLag(), s.GetCeiling(), s.GetMaxValues()) < 0 || min(s.GetRows(), s.GetNulled()) < -1 {
		return nil, broken("stream %q of %s has negative numbers", s.GetName(), class.Name)
	}
	out := &hunt.Stream{
		Name: s.GetName(), Class: class, Attributes: make(map[string]bool, len(s.GetAttributes())), Time: held, Untimed: s.GetUntimed(),
		Nulled: s.GetNulled(), NulledFirst: Line(s.GetNulledFirst()), Rows: s.GetRows(), Retention: time.Duration(s.GetRetention()),
		Watermark: s.GetWatermark(), Lag: time.Duration(s.GetLag()), Ceiling: int(s.GetCeiling()), MaxValues: int(s.GetMaxValues()),
	}
	for _, path := range s.GetAttributes() {
		if _, err := decodeColumn(class, path); err != nil {
			return nil, err
		}
		out.Attributes[path] = true
	}
	return out, decodeClosed(out, s.GetClosed())
}

func decodeClosed(out *hunt.Stream, list []*pb.ClosedValues) error {
	for _, c := range list {
		col, err := decodeColumn(out.Class, c.GetPath())
		if err != nil {
			return err
		}
		if !out.Provides(c.GetPath()) {
			return broken("stream %q has closed values of %s, which is no attribute of it", out.Name, c.GetPath())
		}
		values, err := decodeValues(c.GetValues())
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(values, func(v hunt.Value) bool { return !fits(col, v) }); i >= 0 {
			return broken("stream %q: %s has a closed value of the wrong type", out.Name, c.GetPath())
		}
		if out.Closed == nil {
			out.Closed = map[string][]hunt.Value{}
		}
		out.Closed[c.GetPath()] = values
	}
	return nil
}

// fits says whether a column can hold the value. Every type takes eq, so that a predicate tells.
func fits(col *ocsf.Column, v hunt.Value) bool {
	_, err := hunt.NewPredicate(col, hunt.Eq, true, v)
	return err == nil
}
