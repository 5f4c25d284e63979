package protocol

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// over sends a message over the wire.
func over[M proto.Message](t testing.TB, m M) M {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out := m.ProtoReflect().New().Interface().(M)
	if err := proto.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// code returns the code of an error, "" for none.
func code(err error) hunt.Code {
	var e *hunt.Error
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

// TestExprRoundTrip holds that a condition means after the wire what it meant before.
func TestExprRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 400 {
		class := &ocsf.Classes()[rng.IntN(len(ocsf.Classes()))]
		rec := hunttest.RandomBatch(rng, class, 30)
		e := hunttest.RandomExprOver(rng, hunttest.Columns(class, hunttest.AllAttributes(class)), rec)
		got, err := DecodeExpr(class, over(t, EncodeExpr(e)))
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		if got.String() != e.String() || !reflect.DeepEqual(hunttest.Expect(rec, got, hunttest.Always()), hunttest.Expect(rec, e, hunttest.Always())) {
			t.Fatalf("sent %s\ngot  %s", e, got)
		}
	}
	if got, err := DecodeExpr(&ocsf.Classes()[0], nil); err != nil || !hunt.IsTrue(got) {
		t.Errorf("no condition became %v, %v", got, err)
	}
}

func TestRequestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	class := ocsf.ByUID(ocsf.ProcessActivity)
	for i := range 200 {
		r := hunt.Request{
			Stream: "s", Class: class, Range: hunt.TimeRange{Start: -rng.Int64(), End: rng.Int64()}, Where: hunt.True(), Limit: rng.IntN(3),
			Columns: hunttest.Paths(class)[:i%20], Order: hunt.Order(i % 2), Snapshot: "\xff\x00snap",
		}
		if i%3 == 0 {
			r.After = &hunt.Key{Time: -5, Tenant: "t", Connection: "c", UID: "u\xff\xfe"}
		}
		if i%20 == 0 {
			r.Columns = nil
		}
		got, err := DecodeRequest(over(t, EncodeRequest(&r)))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("sent %+v\ngot  %+v, %v", r, got, err)
		}
		native := "SELECT '\xff'"
		tr := &hunt.Translation{Request: got, Native: native}
		if back, err := DecodeTranslation(got, over(t, EncodeTranslation(tr))); err != nil || back.Native != native {
			t.Fatalf("got %+v, %v", back, err)
		}
	}
}

func TestTranslationKeepsItsPredicates(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	rng := rand.New(rand.NewPCG(9, 9))
	for range 100 {
		rec := hunttest.RandomBatch(rng, class, 10)
		tr := &hunt.Translation{Request: hunt.Request{Class: class, Where: hunttest.RandomExprOver(rng, hunttest.Columns(class, hunttest.AllAttributes(class)), rec)}}
		hunt.Walk(tr.Request.Where, func(p *hunt.Predicate) {
			tr.Predicates = append(tr.Predicates, hunt.Disposed{Predicate: p, Disposition: hunt.Disposition(1 + rng.IntN(5)), Reason: "because"})
		})
		got, err := DecodeTranslation(tr.Request, over(t, EncodeTranslation(tr)))
		if err != nil || !slices.Equal(got.Predicates, tr.Predicates) {
			t.Fatalf("sent %v\ngot  %v, %v", tr.Predicates, got, err)
		}
	}
}

// fullDescription has every field set.
func fullDescription() *hunt.Description {
	class := ocsf.ByUID(ocsf.NetworkActivity)
	return &hunt.Description{
		Connector: "acme", Version: "1", Backend: "Acme 7", Notes: []string{"a", "b"}, ClockSkew: -3 * time.Second, Unread: "x", Snapshot: "\xfe",
		Denied: []hunt.Denial{{Action: "read", Object: "index", Message: "grant it"}},
		Limits: []hunt.Limit{{Scope: hunt.PerAccount, Key: "k", Concurrent: 2, Searches: 10, Per: time.Minute}, {Scope: hunt.PerConnection}, {Scope: hunt.PerEndpoint}},
		Quota:  []hunt.Quota{{Name: "requests", Left: 3, Of: 9, Reset: 77}},
		Streams: []hunt.Stream{{
			Name: "n", Class: class, Attributes: hunttest.AllAttributes(class), Time: &hunt.TimeRange{Start: 1, End: 2}, Untimed: 3, Nulled: -1,
			NulledFirst: "file 3", Rows: -1, Retention: time.Hour, Watermark: 9, Lag: time.Second, Ceiling: 10000, MaxValues: 1024,
			Closed: map[string][]hunt.Value{class.Columns[0].Path: sample(&class.Columns[0])},
		}},
	}
}

// sample returns a value that a column can hold.
func sample(c *ocsf.Column) []hunt.Value {
	for _, v := range []hunt.Value{hunt.Int(3), hunt.String("\xff"), hunt.Float(2), hunt.Bool(true), hunt.Time(-1), hunt.IPFrom16([16]byte{1})} {
		if fits(c, v) {
			return []hunt.Value{v}
		}
	}
	return nil
}

func TestDescriptionRoundTrip(t *testing.T) {
	want := fullDescription()
	checkFilled(t, reflect.ValueOf(*want), "Artifact")
	got, err := DecodeDescription(over(t, EncodeDescription(want)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("sent %+v\ngot  %+v, %v", want, got, err)
	}
}

// TestUnchangedDescription: a description is not sent again while nothing of it has changed, and always if anything has.
func TestUnchangedDescription(t *testing.T) {
	var describer Describer
	first, err := describer.Answer(fullDescription(), "")
	if err != nil {
		t.Fatal(err)
	}
	known, err := DecodeDescribed(over(t, first), nil)
	if err != nil || known.Tag == "" || !reflect.DeepEqual(known.Description, fullDescription()) {
		t.Fatalf("got %+v, %v", known, err)
	}
	var same *pb.DescribeResponse
	for _, d := range []*Describer{&describer, {}} { // that which sent it, and one of a process that was started again
		if same, err = d.Answer(fullDescription(), known.Tag); err != nil || proto.Size(same) > 100 {
			t.Fatalf("%d bytes, %v", proto.Size(same), err)
		}
		if got, err := DecodeDescribed(over(t, same), known); err != nil || got != known {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if again, err := describer.Answer(fullDescription(), ""); err != nil || again.GetDescription() == nil {
		t.Errorf("a host that knows none got %v, %v", again, err)
	}
	for _, other := range []*Described{nil, {}, {Tag: "another"}} {
		if _, err := DecodeDescribed(same, other); code(err) != hunt.PluginProtocol {
			t.Errorf("unchanged from %+v: %v", other, err)
		}
	}
	for _, of := range []func(*hunt.Description) reflect.Value{
		func(d *hunt.Description) reflect.Value { return reflect.ValueOf(d).Elem() },
		func(d *hunt.Description) reflect.Value { return reflect.ValueOf(&d.Streams[0]).Elem() },
	} {
		for i := range of(fullDescription()).NumField() {
			d := fullDescription()
			name := of(d).Type().Field(i).Name
			if name == "Artifact" || name == "Class" {
				continue
			}
			of(d).Field(i).SetZero()
			if r, err := describer.Answer(d, known.Tag); err != nil || r.GetDescription() == nil {
				t.Errorf("without %s: %v, %v", name, r, err)
			}
			if r, err := describer.Answer(fullDescription(), known.Tag); err != nil || !r.GetUnchanged() {
				t.Errorf("with %s again: %v, %v", name, r, err)
			}
		}
	}
}

// checkFilled holds that every field is set, so that a field that is added to package hunt is not forgotten here.
func checkFilled(t *testing.T, v reflect.Value, but ...string) {
	t.Helper()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if v.Field(i).IsZero() && !slices.Contains(but, name) {
			t.Errorf("%s.%s is not set, so nobody knows whether it crosses the wire", v.Type(), name)
		}
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct {
			checkFilled(t, f.Index(0))
		}
	}
}

func TestDescriptionsThatCannotBe(t *testing.T) {
	for name, spoil := range map[string]func(*pb.Description){
		"no connector":      func(d *pb.Description) { d.Connector = "" },
		"unknown class":     func(d *pb.Description) { d.Streams[0].ClassUid = 999_999 },
		"no name":           func(d *pb.Description) { d.Streams[0].Name = "" },
		"twice":             func(d *pb.Description) { d.Streams = append(d.Streams, d.Streams[0]) },
		"unknown attribute": func(d *pb.Description) { d.Streams[0].Attributes[0] = "no.such" },
		"unknown closed":    func(d *pb.Description) { d.Streams[0].Closed[0].Path = "no.such" },
		"closed, not there": func(d *pb.Description) { d.Streams[0].Attributes = nil },
		"closed wrong type": func(d *pb.Description) {
			d.Streams[0].Closed[0].Values[0] = &pb.Value{Kind: &pb.Value_Address{Address: make([]byte, 16)}}
		},
		"short address": func(d *pb.Description) {
			d.Streams[0].Closed[0].Values[0] = &pb.Value{Kind: &pb.Value_Address{Address: make([]byte, 4)}}
		},
		"missing closed":  func(d *pb.Description) { d.Streams[0].Closed[0].Values[0] = &pb.Value{} },
		"range":           func(d *pb.Description) { d.Streams[0].Time.End = -5 },
		"negative rows":   func(d *pb.Description) { d.Streams[0].Rows = -2 },
		"negative ceil":   func(d *pb.Description) { d.Streams[0].Ceiling = -1 },
		"unknown scope":   func(d *pb.Description) { d.Limits[0].Scope = 17 },
		"no scope":        func(d *pb.Description) { d.Limits[0].Scope = 0 },
		"negative limit":  func(d *pb.Description) { d.Limits[0].Concurrent = -1 },
		"limit, no time":  func(d *pb.Description) { d.Limits[0].Per = 0 },
		"nothing in it":   func(d *pb.Description) { proto.Reset(d) },
		"nil stream":      func(d *pb.Description) { d.Streams[0] = nil },
		"negative retain": func(d *pb.Description) { d.Streams[0].Retention = -1 },
	} {
		d := EncodeDescription(fullDescription())
		spoil(d)
		if _, err := DecodeDescription(d); code(err) != hunt.PluginProtocol {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestRequestsThatCannotBe(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	deep := EncodeExpr(hunt.True())
	for range 2 * maxDepth {
		deep = &pb.Expr{Node: &pb.Expr_Not{Not: deep}}
	}
	predicate := func(path, op string, args ...hunt.Value) *pb.Expr {
		return &pb.Expr{Node: &pb.Expr_Predicate{Predicate: &pb.Predicate{Path: path, Op: op, Args: encodeValues(args)}}}
	}
	for name, where := range map[string]*pb.Expr{
		"too deep": deep, "no node": {}, "unknown path": predicate("no.such", "eq", hunt.String("a")), "unknown operator": predicate("raw", "near", hunt.String("a")),
		"wrong type": predicate("raw", "eq", hunt.Int(1)), "no argument": predicate("raw", "eq"), "bad regex": predicate("raw", "regex", hunt.String("(")),
		"operator of another type": predicate("raw", "lt", hunt.String("a")), "missing value": predicate("raw", "eq", hunt.Value{}),
		"unknown list": {Node: &pb.Expr_Some{Some: &pb.Some{List: "no.such", Expr: deep}}}, "no list": {Node: &pb.Expr_Some{Some: &pb.Some{Expr: deep}}},
		"some of nothing": {Node: &pb.Expr_Some{Some: &pb.Some{List: "file.hashes"}}}, "not of nothing": {Node: &pb.Expr_Not{}}, "empty operand": {Node: &pb.Expr_All{All: &pb.ExprList{Exprs: []*pb.Expr{nil}}}},
	} {
		if _, err := DecodeExpr(class, where); code(err) != hunt.PluginProtocol {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, spoil := range map[string]func(*pb.Request){
		"unknown class": func(r *pb.Request) { r.ClassUid = 1 }, "unknown column": func(r *pb.Request) { r.Columns = []string{"x"} },
		"no range": func(r *pb.Request) { r.Range = nil }, "negative limit": func(r *pb.Request) { r.Limit = -1 }, "order": func(r *pb.Request) { r.Order = 9 },
	} {
		r := EncodeRequest(&hunt.Request{Class: class})
		spoil(r)
		if _, err := DecodeRequest(r); code(err) != hunt.PluginProtocol {
			t.Errorf("%s: got %v", name, err)
		}
	}
	r := hunt.Request{Class: class, Where: hunt.True()}
	if _, err := DecodeTranslation(r, &pb.Translation{Predicates: []*pb.Disposed{{}}}); code(err) != hunt.PluginProtocol {
		t.Errorf("a disposition of nothing: %v", err)
	}
	p, err := hunt.NewPredicate(class.Column("raw"), hunt.Eq, true, hunt.String("a"))
	if err != nil {
		t.Fatal(err)
	}
	r.Where = p
	for _, d := range []pb.Disposition{0, 6, -1} {
		if _, err := DecodeTranslation(r, &pb.Translation{Predicates: []*pb.Disposed{{Disposition: d}}}); code(err) != hunt.PluginProtocol {
			t.Errorf("disposition %d: %v", d, err)
		}
	}
}

func TestErrorRoundTrip(t *testing.T) {
	for _, c := range Codes() {
		e := &hunt.Error{Op: "o", Source: "s", Code: c, Message: "m", Path: "p", Retryable: true, RetryAfter: time.Second, Cause: errors.New("why")}
		checkFilled(t, reflect.ValueOf(*e))
		got := DecodeError(over(t, EncodeError(e)))
		if got.Cause == nil || got.Cause.Error() != "why" {
			t.Errorf("cause %v", got.Cause)
		}
		got.Cause = e.Cause
		if *got != *e {
			t.Errorf("sent %+v, got %+v", e, got)
		}
	}
	if EncodeError(nil) != nil || DecodeError(nil) != nil {
		t.Error("no error became one")
	}
	got := DecodeError(&pb.Error{Code: "BANANA", Message: "a\nb\x1b[31m\xff" + strings.Repeat("x", 1<<20), RetryAfter: -5})
	if got.Code != hunt.PluginProtocol || strings.ContainsAny(got.Message, "\n\x1b") || len(got.Message) > 5<<10 || got.RetryAfter != 0 || !strings.Contains(got.Message, "BANANA") {
		t.Errorf("got %.100q", got.Message)
	}
	if got := DecodeError(&pb.Error{Code: "INTERNAL"}); got.Error() == "" {
		t.Error("an error without any text")
	}
	if got := DecodeError(over(t, EncodeError(errors.New("plain \xff")))); got.Code != hunt.Internal {
		t.Errorf("got %+v", got)
	}
}

func TestFrameRoundTrip(t *testing.T) {
	for _, f := range []hunt.Frame{
		hunt.Progress{RowsScanned: 1, Done: 2, Total: 3}, hunt.Watermark{Time: -4}, hunt.Throttled{RetryAfter: time.Second},
		hunt.PartFailed{Part: "p", Lost: &hunt.TimeRange{Start: 1, End: 2}, Err: &hunt.Error{Code: hunt.SourceDamaged, Message: "m"}},
		hunt.PartFailed{Part: "p", Err: &hunt.Error{Code: hunt.SourceDamaged, Message: "m"}},
		hunt.Rejected{Part: "p", Count: 1, Offset: 2, Reason: "r"}, hunt.End{Truncated: true, Reason: "r", RowsScanned: -1, Duplicates: 3, Untimed: 4}, hunt.End{},
	} {
		got, err := DecodeFrame(over(t, EncodeFrame(f)))
		if err != nil || !reflect.DeepEqual(got, f) {
			t.Errorf("sent %+v, got %+v, %v", f, got, err)
		}
	}
	for name, f := range map[string]*pb.Frame{
		"nothing": {}, "negative": {Frame: &pb.Frame_Rejected{Rejected: &pb.Rejected{Count: -1}}}, "negative delay": {Frame: &pb.Frame_Throttled{Throttled: &pb.Throttled{RetryAfter: -1}}},
		"part without error": {Frame: &pb.Frame_PartFailed{PartFailed: &pb.PartFailed{}}}, "no error": {Frame: &pb.Frame_Error{}}, "nil end": {Frame: &pb.Frame_End{End: &pb.End{RowsScanned: -2}}},
		"lost": {Frame: &pb.Frame_PartFailed{PartFailed: &pb.PartFailed{Lost: &pb.TimeRange{Start: 2, End: 1}}}},
	} {
		if _, err := DecodeFrame(f); code(err) != hunt.PluginProtocol {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
