package okta_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/plugins/example/okta"
	"github.com/harrier-xdr/harrier/plugins/example/oktatest"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// TestConformance runs the suite over hostile values. Random rows are written backwards into LogEvents, so it shows the columns that one
// field of a LogEvent holds alone, and hides those that follow from others.
func TestConformance(t *testing.T) {
	plainSuite(oktatest.Options{}).Run(t)
}

// TestConformanceOfTheOtherReading runs what depends on it again over an Okta that does not look at case and whose since and until are not
// within the range: its documents allow both.
func TestConformanceOfTheOtherReading(t *testing.T) {
	check(t, plainSuite(oktatest.Options{IgnoreCase: true, OpenBounds: true}), []string{"Contents", "Predicates", "Expressions"})
}

// plainSuite loads events into an organisation that can grow, shrink, fail and throttle.
func plainSuite(options oktatest.Options) hunttest.Suite {
	var server *oktatest.Server
	var broken, refusals atomic.Int64
	options.Fault = func(request int) oktatest.Fault {
		if broken.Load() > 0 {
			return []oktatest.Fault{oktatest.Broken, oktatest.Cut, oktatest.Garbage}[request%3]
		}
		if refusals.Add(-1) >= 0 {
			return oktatest.TooMany
		}
		refusals.Store(0)
		return oktatest.None
	}
	connect := func(t *testing.T) hunt.Connector {
		return hideDerived{open(t, server, okta.Config{PageSize: 150}, nil)}
	}
	s := hunttest.Suite{Streams: plainStreams(), Keep: keep, Connect: connect, Secrets: []string{secret}, Rows: 1000}
	volume := plainStream(ocsf.BaseEvent)
	s.Volume = &volume
	s.Open = func(t *testing.T, data []hunttest.Data) hunt.Connector {
		var events []string
		for _, d := range data {
			events = append(events, backwards(d)...)
		}
		server = serve(t, events, options)
		return connect(t)
	}
	s.Grow = func(t *testing.T, d hunttest.Data) {
		if err := server.Add(backwards(d)...); err != nil {
			t.Fatal(err)
		}
	}
	s.Remove = func(_ *testing.T, d hunttest.Data) {
		for row := range int(d.Record.NumRows()) {
			server.Remove(vector.Row{Record: d.Record, Index: row}.Values("raw")[0].Str())
		}
	}
	s.Fault = func(*testing.T) func() {
		broken.Store(1)
		return func() { broken.Store(0) }
	}
	s.Throttle = func(_ *testing.T, requests int, _ time.Duration) { refusals.Store(int64(requests)) }
	return s
}

// TestConformanceOfAllColumns runs the suite over an organisation's events with every column. What the suite loads is not what is there, so
// the two behaviours that compare with it are left to TestConformance and to the golden file of the mapping.
func TestConformanceOfAllColumns(t *testing.T) {
	for name, options := range map[string]oktatest.Options{"case": {}, "no case": {IgnoreCase: true, OpenBounds: true}} {
		t.Run(name, func(t *testing.T) {
			start := func(t *testing.T, _ []hunttest.Data) hunt.Connector {
				return open(t, serve(t, organisation(rand.New(rand.NewPCG(7, 7)), 240), options), okta.Config{PageSize: 90}, nil)
			}
			streams := allStreams(t)
			suite := hunttest.Suite{Open: start, Streams: streams[1:], Volume: &streams[0], Rows: 1}
			names := []string{"Predicates", "Expressions"}
			if !options.IgnoreCase {
				names = append(names, "Translate", "Impossible", "Order", "Paging", "ForeignKeys", "Range", "Limit", "Projection")
			}
			check(t, suite, names)
		})
	}
}

func check(t *testing.T, suite hunttest.Suite, names []string) {
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			for _, err := range suite.Check(t, name) {
				t.Error(err)
			}
		})
	}
}

func allStreams(t *testing.T) []hunt.Stream {
	d, err := open(t, serve(t, nil, oktatest.Options{}), okta.Config{}, nil).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d.Streams
}

// plain returns the columns that one field of a LogEvent holds alone, and the field.
func plain() map[string]string {
	return map[string]string{
		"metadata.correlation_uid": "transaction.id", "status_code": "outcome.result", "status_detail": "outcome.reason", "message": "displayMessage",
		"actor.user.name": "actor.alternateId", "actor.user.uid": "actor.id", "actor.user.full_name": "actor.displayName",
		"actor.session.uid": "authenticationContext.externalSessionId", "src_endpoint.ip": "client.ipAddress",
		"src_endpoint.location.city": "client.geographicalContext.city", "src_endpoint.location.region": "client.geographicalContext.state",
		"src_endpoint.location.country": "client.geographicalContext.country", "src_endpoint.autonomous_system.number": "securityContext.asNumber",
		"src_endpoint.autonomous_system.name": "securityContext.asOrg", "src_endpoint.domain": "securityContext.domain",
		"http_request.user_agent": "client.userAgent.rawUserAgent", "actor.user.type_id": "actor.type",
	}
}

// resources are the fields of a target.
func resources() map[string]string {
	return map[string]string{"resources.uid": "id", "resources.name": "displayName", "resources.type": "type"}
}

func shown(class *ocsf.Class, path string) bool {
	_, one := plain()[path]
	_, many := resources()[path]
	return class.Column(path) != nil && (one || many)
}

func plainStreams() []hunt.Stream {
	return []hunt.Stream{plainStream(ocsf.Authentication), plainStream(ocsf.AccountChange), plainStream(ocsf.ApiActivity)}
}

func plainStream(class int64) hunt.Stream {
	s := hunt.Stream{Name: "okta.systemlog", Class: ocsf.ByUID(class), Attributes: hunttest.AllAttributes(ocsf.ByUID(class))}
	maps.DeleteFunc(s.Attributes, func(path string, _ bool) bool { return !shown(s.Class, path) })
	return s
}

// hideDerived shows no other columns than plain and resources.
type hideDerived struct{ *okta.Okta }

func (h hideDerived) Describe(ctx context.Context) (*hunt.Description, error) {
	d, err := h.Okta.Describe(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range d.Streams {
		maps.DeleteFunc(s.Attributes, func(path string, _ bool) bool { return !shown(s.Class, path) })
		maps.DeleteFunc(s.Closed, func(path string, _ []hunt.Value) bool { return !shown(s.Class, path) })
	}
	return d, nil
}

func (h hideDerived) Translate(r hunt.Request) (*hunt.Translation, error) {
	t, err := h.Okta.Translate(r)
	if err != nil {
		return nil, err
	}
	for i := range t.Predicates {
		d := &t.Predicates[i]
		if path := d.Predicate.Path; path != "time" && path != "uid" && path != "raw" && path != "unmapped" && !shown(r.Class, path) {
			d.Disposition, d.Reason = hunt.Impossible, "hidden by the test"
		}
	}
	return t, nil
}

// keep refuses what a LogEvent does not hold: texts of more than 8 KiB (the limits that Okta names are of 255 bytes), bytes that are no UTF-8,
// words for absent, kinds of actors that the mapping does not tell apart, and events without a time or of a time that Okta does not keep.
func keep(path string, v hunt.Value) bool {
	if path == ocsf.ColTime {
		age := newClock().Now().Sub(time.UnixMicro(v.Num()))
		return v.Kind() != hunt.Missing && 0 < age && age < 90*24*time.Hour
	}
	if path == "actor.user.type_id" {
		return actorTypes()[v.Num()] != ""
	}
	if v.Kind() != hunt.StringKind {
		return true
	}
	text := strings.ToLower(strings.TrimSpace(v.Str()))
	return len(v.Str()) <= 8<<10 && utf8.ValidString(v.Str()) && !slices.Contains([]string{"", "-", "(empty)", "unknown"}, text)
}

func actorTypes() map[int64]string {
	return map[int64]string{1: "User", 3: "SystemPrincipal", 4: "PublicClientApp", 99: "Robot"}
}

// backwards writes rows as LogEvents.
func backwards(d hunttest.Data) []string {
	eventType := map[int64]string{ocsf.Authentication: "user.session.start", ocsf.AccountChange: "user.lifecycle.create", ocsf.ApiActivity: "group.profile.update",
		ocsf.BaseEvent: "system.org.rate_limit.warning"}[d.Stream.Class.UID]
	var out []string
	for row := range int(d.Record.NumRows()) {
		r := vector.Row{Record: d.Record, Index: row}
		f := map[string]any{"uuid": r.Values("uid")[0].Str(), "published": hunt.FormatTime(r.Values("time")[0].Num()), "eventType": eventType}
		for path, field := range plain() {
			if d.Stream.Attributes[path] {
				put(f, field, path, r.Values(path))
			}
		}
		if d.Stream.Attributes["resources.uid"] {
			f["target"] = targets(r)
		}
		out = append(out, logEvent(f))
	}
	return out
}

// targets writes an array of objects; fields that an object lacks are null.
func targets(r vector.Row) []any {
	out := []any{}
	for _, e := range r.Elements("resources") {
		t := map[string]any{}
		for path, field := range resources() {
			put(t, field, path, e.Values(path))
		}
		out = append(out, t)
	}
	return out
}

func put(to map[string]any, field, path string, values []hunt.Value) {
	if len(values) == 0 {
		return
	}
	switch v := values[0]; {
	case path == "actor.user.type_id":
		to[field] = actorTypes()[v.Num()]
	case v.Kind() == hunt.IntKind:
		to[field] = v.Num()
	case v.Kind() == hunt.IPKind:
		to[field] = hunt.FormatIP(v.Addr16())
	default:
		to[field] = v.Str()
	}
}

func keysOf(rec arrow.RecordBatch) []hunt.Key {
	var out []hunt.Key
	for i := range int(rec.NumRows()) {
		us, uid := vector.KeyAt(rec, i)
		out = append(out, hunt.Key{Time: us, Tenant: hunttest.Identity().Tenant, Connection: hunttest.Identity().Connection, UID: strings.Clone(uid)})
	}
	return out
}
