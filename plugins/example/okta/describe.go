package okta

import (
	"context"
	"strings"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// Version is the version of the connector.
const Version = "1.0.0"

const (
	// probeEvery is how long one answer is good for: the host describes before every hunt, and requests are what Okta rations.
	probeEvery = 30 * time.Second
	// mostSearches is how many searches run at a time. Okta allows an organisation 35 or 75 requests at a time, by plan, and sign-ins are
	// among them; Okta's own advice for bulk work is 10.
	mostSearches = 10
)

// Describe implements hunt.Connector. It asks Okta for one event, at most every 30 seconds while that works, so that a token that was
// revoked or an organisation that is gone is told before the hunt. The error is SOURCE_DENIED, SOURCE_UNAVAILABLE, SOURCE_THROTTLED or
// SOURCE_TIMEOUT.
func (o *Okta) Describe(ctx context.Context) (*hunt.Description, error) {
	ctx, release := o.bind(ctx)
	defer release()
	if err := o.probe(ctx); err != nil {
		return nil, o.fail("okta: describe", err)
	}
	o.mu.Lock()
	limit, skew := o.rate, o.skew
	o.mu.Unlock()
	d := &hunt.Description{Connector: "okta", Version: Version, Backend: "Okta System Log API v1", Notes: notes(), ClockSkew: skew}
	for _, s := range o.model.mapping.Streams() {
		s.Nulled, s.Retention = -1, retention
		d.Streams = append(d.Streams, *s)
	}
	d.Limits = []hunt.Limit{{Scope: hunt.PerAccount, Key: "okta " + o.base.Host, Concurrent: mostSearches}}
	if limit.known && limit.limit > 0 {
		d.Limits = append(d.Limits, hunt.Limit{Scope: hunt.PerEndpoint, Key: "okta " + o.base.Host + logsPath, Searches: int(limit.limit), Per: time.Minute})
		d.Quota = []hunt.Quota{{Name: "requests", Left: limit.left, Of: limit.limit, Reset: limit.reset.UnixMicro()}}
	}
	return d, nil
}

// notes says what hunts do not see, and why no stream has a lag or a watermark: Okta gives no figure.
func notes() []string {
	return []string{
		"Okta may add an event late and does not say how late; a hunt that reaches up to now may lack the newest events",
		"Okta keeps events for 90 days",
	}
}

// probe asks for one event of the last ten minutes.
func (o *Okta) probe(ctx context.Context) *hunt.Error {
	if o.closing.Err() != nil {
		return closed()
	}
	now := o.options.Now()
	o.mu.Lock()
	fresh := !o.probed.IsZero() && now.Sub(o.probed) < probeEvery
	o.mu.Unlock()
	if fresh {
		return nil
	}
	q := query{since: now.Add(-10 * time.Minute).UnixMilli(), until: now.UnixMilli(), limit: 1}
	a, err := o.get(ctx, q.url(o.base))
	if err == nil {
		err = a.refusal()
	}
	if err == nil && (a.cut || !isArray(a.body)) {
		err = hunt.Errorf(hunt.SourceUnavailable, "what answers at %s is not Okta: it gives no JSON array", logsPath)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.probed = time.Time{}
	if err == nil {
		o.probed = now
	}
	return err
}

func isArray(body []byte) bool {
	return strings.HasPrefix(strings.TrimSpace(string(body[:min(len(body), 64)])), "[")
}
