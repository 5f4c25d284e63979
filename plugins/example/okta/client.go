package okta

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

const (
	logsPath    = "/api/v1/logs"
	mostBody    = 64 << 20         // bytes of an answer; a page of 1,000 events has about 3 MB
	mostWait    = 5 * time.Minute  // the rate limit is of a minute, so a longer wait is a mistake
	mostRefused = 5                // refusals in a row of one request
	patience    = 45 * time.Second // with one request; Okta gives up after 30 seconds
)

// newHTTP makes the client of a connection. It keeps connections, follows no redirect and adds nothing of its own.
func newHTTP() *http.Client {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: mostSearches,
		IdleConnTimeout:     time.Minute,
	}
	// A redirect could lead the token to another host.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}
}

// rate is what the headers of an answer say of the rate limit.
type rate struct {
	limit, left int64
	reset       time.Time // by Okta's clock
	known       bool
}

// answer is what Okta replied.
type answer struct {
	status int
	body   []byte
	cut    bool // the body ended before its end
	next   *url.URL
	rate   rate
	date   time.Time // by Okta's clock; ours if it did not say
}

// get sends one request and reads the answer. An answer of any status is no error.
func (o *Okta) get(ctx context.Context, u *url.URL) (*answer, *hunt.Error) {
	token, failed := o.token()
	if failed != nil {
		return nil, failed
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, hunt.Errorf(hunt.Internal, "the request cannot be made")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", o.cfg.Authorization+" "+token)
	req.Header.Set("User-Agent", "harrier-okta/"+Version)
	res, err := o.http.Do(req)
	if err != nil {
		return nil, o.unreachable(ctx, err)
	}
	defer res.Body.Close()
	a := &answer{status: res.StatusCode, rate: rateIn(res.Header), date: o.options.Now()}
	if at, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		a.date = at
	}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, mostBody+1))
	switch {
	case ctx.Err() != nil:
		return nil, o.unreachable(ctx, ctx.Err())
	case len(a.body) > mostBody:
		return nil, hunt.Errorf(hunt.SourceFailed, "an answer has more than %d MiB; set a smaller page_size", mostBody>>20)
	}
	a.cut = err != nil
	if a.status == http.StatusOK {
		if a.next, failed = nextLink(res.Header.Values("Link"), u); failed != nil {
			return nil, failed
		}
	}
	o.remember(a)
	return a, nil
}

// remember keeps what an answer said of Okta for the next description.
func (o *Okta) remember(a *answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if a.rate.known {
		o.rate = a.rate
	}
	o.skew = 0
	// The header has whole seconds, so a difference below two may be none.
	if d := a.date.Sub(o.options.Now()).Truncate(time.Second); d.Abs() >= 2*time.Second {
		o.skew = d
	}
}

// rateIn reads the headers of the rate limit; reset is in seconds since 1970.
func rateIn(h http.Header) rate {
	limit, err1 := strconv.ParseInt(h.Get("X-Rate-Limit-Limit"), 10, 64)
	left, err2 := strconv.ParseInt(h.Get("X-Rate-Limit-Remaining"), 10, 64)
	reset, err3 := strconv.ParseInt(h.Get("X-Rate-Limit-Reset"), 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return rate{}
	}
	return rate{limit: limit, left: left, reset: time.Unix(reset, 0), known: true}
}

// pause returns how long to wait until requests are allowed again.
func (a *answer) pause() time.Duration {
	if !a.rate.known {
		return time.Minute // the window of the limit
	}
	return max(a.rate.reset.Sub(a.date), time.Second)
}

// unreachable says why there was no answer. The text of net/http is not repeated, because it holds the URL with the condition of the hunt.
func (o *Okta) unreachable(ctx context.Context, err error) *hunt.Error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	switch {
	case o.closing.Err() != nil:
		return closed()
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded):
		e := hunt.Errorf(hunt.SourceTimeout, "Okta did not answer in time")
		e.Retryable = true
		return e
	case ctx.Err() != nil:
		return hunt.Errorf(hunt.Cancelled, "the search was cancelled: %w", ctx.Err())
	}
	e := hunt.Errorf(hunt.SourceUnavailable, "Okta cannot be reached: %w", err)
	e.Retryable = true
	return e
}

// refusal makes the error of an answer that is no page; nil for one that is.
func (a *answer) refusal() *hunt.Error {
	if a.status == http.StatusOK {
		return nil
	}
	why := problemIn(a.body, a.status)
	switch {
	case a.status == http.StatusUnauthorized:
		return hunt.Errorf(hunt.SourceDenied, "Okta does not accept the token (%s); it is wrong, expired or revoked, or authorization should be the other kind", why)
	case a.status == http.StatusForbidden:
		return hunt.Errorf(hunt.SourceDenied, "the token may not read the System Log (%s); it needs a role that may, or the scope okta.logs.read", why)
	case a.status == http.StatusTooManyRequests:
		e := hunt.Errorf(hunt.SourceThrottled, "Okta refuses requests until its rate limit is reset (%s)", why)
		e.Retryable, e.RetryAfter = true, a.pause()
		return e
	case a.status >= 500:
		e := hunt.Errorf(hunt.SourceUnavailable, "Okta cannot answer now (%s)", why)
		e.Retryable = true
		return e
	case a.status >= 300 && a.status < 400:
		return hunt.Errorf(hunt.SourceUnavailable, "Okta sends the request elsewhere; set url to the organisation's own address")
	case a.status == http.StatusNotFound:
		return hunt.Errorf(hunt.SourceUnavailable, "there is no System Log at %s (%s); check url", logsPath, why)
	}
	return hunt.Errorf(hunt.SourceFailed, "Okta refuses the request (%s)", why)
}

func closed() *hunt.Error { return hunt.Errorf(hunt.SourceUnavailable, "the connection is closed") }

// tooLong says that waiting for the rate limit makes no sense within this search.
func tooLong(d time.Duration) *hunt.Error {
	e := hunt.Errorf(hunt.SourceThrottled, "Okta's rate limit is reset in %s only, and the search cannot wait so long", fmt.Sprint(d.Round(time.Second)))
	e.Retryable, e.RetryAfter = true, d
	return e
}
