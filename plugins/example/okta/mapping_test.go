package okta_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/plugins/example/okta"
	"github.com/harrier-xdr/harrier/plugins/example/oktatest"
)

// TestMapping shows every column that a LogEvent of each class fills, and what is left unmapped.
func TestMapping(t *testing.T) {
	full := map[string]any{
		"uuid": "dc9fd3c0-598c-11ef-8478-2b7584bf8d5a", "version": "0", "severity": "WARN", "displayMessage": "Something happened",
		"published": "2026-01-31T08:00:00.123Z", "legacyEventType": "core.x", "transaction.id": "W1", "transaction.type": "WEB", "outcome.result": "DENY",
		"outcome.reason": "Sign-on policy", "actor.id": "00u1", "actor.type": "User", "actor.alternateId": "alice@example.com", "actor.displayName": "Alice Example",
		"client.ipAddress": "192.0.2.7", "client.zone": "null", "client.device": "Computer", "client.userAgent.rawUserAgent": "curl/8.5.0",
		"client.userAgent.browser": "UNKNOWN", "client.geographicalContext.city": "Oslo", "client.geographicalContext.state": "Oslo",
		"client.geographicalContext.country": "Norway", "securityContext.asNumber": 64496, "securityContext.asOrg": "example networks",
		"securityContext.isProxy": false, "authenticationContext.externalSessionId": "102a", "authenticationContext.credentialType": "PASSWORD",
		"debugContext.debugData.requestUri": "/api/v1/authn?x=1", "debugContext.debugData.behaviors": "{New Device=POSITIVE}",
		"target": []any{map[string]any{"id": "00u7", "type": "User", "alternateId": "carol@example.com", "displayName": "Carol"},
			map[string]any{"id": "00g8", "type": "UserGroup", "alternateId": "unknown", "displayName": "Admins"}},
	}
	var events []string
	for _, eventType := range []string{"user.session.start", "user.authentication.sso", "user.account.lock", "group.user_membership.add", "system.org.rate_limit.warning"} {
		full["eventType"], full["uuid"] = eventType, "dc9fd3c0-598c-11ef-8478-"+fmt.Sprintf("%012d", len(events))
		events = append(events, logEvent(full))
	}
	events = append(events, logEvent(map[string]any{"uuid": "x", "eventType": "user.session.end", "published": "2026-01-31T08:00:01Z", "actor.alternateId": "unknown",
		"client": nil, "target": nil, "outcome.result": "UNKNOWN"}))
	o := open(t, serve(t, events, oktatest.Options{}), okta.Config{}, nil)
	d, err := o.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range d.Streams {
		r := everything(s.Class.UID, append(hunttest.Paths(s.Class), "unmapped")...)
		for _, rec := range search(t, o, r).batches {
			for row := range int(rec.NumRows()) {
				b.WriteString(written(s, vector.Row{Record: rec, Index: row}))
			}
		}
	}
	golden(t, "mapping.golden", b.String())
}

// written writes the columns of a row that are there, but raw and uid.
func written(s hunt.Stream, r vector.Row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s\n", s.Class.Name, r.Values("metadata.event_code")[0].Str())
	paths := append(hunttest.Paths(s.Class), "time")
	slices.Sort(paths)
	for _, path := range paths {
		if path == "raw" || path == "uid" {
			continue
		}
		var values []string
		for _, v := range r.Values(path) {
			values = append(values, v.Text())
		}
		if len(values) > 0 {
			fmt.Fprintf(&b, "%s: %s\n", path, strings.Join(values, ", "))
		}
	}
	return b.String() + "\n"
}

// TestEveryEventIsOfOneClass: an organisation's events are in exactly one stream each, and the native query of a class loses none.
func TestEveryEventIsOfOneClass(t *testing.T) {
	const n = 500
	o := open(t, serve(t, organisation(rand.New(rand.NewPCG(1, 2)), n), oktatest.Options{}), okta.Config{PageSize: 100}, nil)
	d, err := o.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, s := range d.Streams {
		f := search(t, o, everything(s.Class.UID))
		if f.end == nil || len(f.keys) == 0 {
			t.Errorf("%s: %d events, %v", s.Class.Name, len(f.keys), f.err)
		}
		for _, k := range f.keys {
			seen[k.UID]++
		}
	}
	for uid, times := range seen {
		if times != 1 {
			t.Errorf("event %s is in %d streams", uid, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d events are in a stream", len(seen), n)
	}
}
