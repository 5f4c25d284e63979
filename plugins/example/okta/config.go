package okta

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// Config is the settings of a connection. Decode it strictly: a key that is not here is a mistake.
type Config struct {
	URL           string `yaml:"url"`           // of the organisation, such as https://example.okta.com; http is for loopback alone
	Token         string `yaml:"token"`         // reference to the secret, env:NAME or file:PATH; never the token itself
	Authorization string `yaml:"authorization"` // SSWS for an API token (the default), Bearer for an OAuth 2.0 access token
	PageSize      int    `yaml:"page_size"`     // events of a page, 1 to 1000, the default
}

// Options is what a connection needs of the program around it.
type Options struct {
	// Secret reads the secret of a reference. It is called before every request, so that a token that was replaced is taken if it reads anew.
	Secret func(ref string) (string, error)
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Wait waits until the time has passed or ctx ends, whose error it returns then; nil for a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Okta is a connection to one organisation. It is safe for concurrent use and has no goroutine of its own.
type Okta struct {
	id      hunt.Identity
	cfg     Config
	base    *url.URL
	options Options
	model   *model
	http    *http.Client

	closing context.Context
	close   context.CancelFunc

	mu     sync.Mutex
	probed time.Time // when Okta last answered Describe
	rate   rate      // what the last answer said of the rate limit
	skew   time.Duration
}

var _ hunt.Connector = (*Okta)(nil)

const mostEvents = 1000 // of a page, as the API limits it

// Open checks the settings and reads the token once, so that mistakes are seen at the start. It asks nothing of Okta. The error is a
// *hunt.Error with code BAD_CONFIG.
func Open(id hunt.Identity, cfg Config, options Options) (*Okta, error) {
	o := &Okta{id: id, cfg: withDefaults(cfg), options: options, http: newHTTP()}
	if o.options.Now == nil {
		o.options.Now = time.Now
	}
	if o.options.Wait == nil {
		o.options.Wait = wait
	}
	var err *hunt.Error
	if o.base, err = orgURL(cfg.URL); err != nil {
		return nil, o.fail("okta: open", err)
	}
	if err := o.check(); err != nil {
		return nil, o.fail("okta: open", err)
	}
	if o.model, err = newModel(); err != nil {
		return nil, o.fail("okta: open", err)
	}
	o.closing, o.close = context.WithCancel(context.Background())
	return o, nil
}

func withDefaults(cfg Config) Config {
	if cfg.PageSize == 0 {
		cfg.PageSize = mostEvents
	}
	if cfg.Authorization == "" {
		cfg.Authorization = "SSWS"
	}
	return cfg
}

// check checks the settings beside the URL.
func (o *Okta) check() *hunt.Error {
	if n := o.cfg.PageSize; n < 1 || n > mostEvents {
		return hunt.Errorf(hunt.BadConfig, "page_size is %d; Okta gives 1 to %d events a page", n, mostEvents)
	}
	if a := o.cfg.Authorization; a != "SSWS" && a != "Bearer" {
		return hunt.Errorf(hunt.BadConfig, "authorization is %q; use SSWS for an API token or Bearer for an OAuth 2.0 access token", a)
	}
	if o.options.Secret == nil {
		return hunt.Errorf(hunt.BadConfig, "there is nothing that reads secrets")
	}
	_, err := o.token()
	return err
}

// token reads the secret. What is wrong with it is said without it.
func (o *Okta) token() (string, *hunt.Error) {
	if !strings.HasPrefix(o.cfg.Token, "env:") && !strings.HasPrefix(o.cfg.Token, "file:") {
		return "", hunt.Errorf(hunt.BadConfig, "token is no reference to a secret; write env:NAME or file:PATH, and the token there")
	}
	secret, err := o.options.Secret(o.cfg.Token)
	if err != nil {
		return "", hunt.Errorf(hunt.BadConfig, "token: %w", err)
	}
	if secret = strings.TrimSpace(secret); secret == "" || strings.ContainsAny(secret, " \t\r\n") {
		return "", hunt.Errorf(hunt.BadConfig, "token: the secret is empty or has blanks in it; it must be the token alone, without SSWS or Bearer")
	}
	return secret, nil
}

// orgURL reads the URL of an organisation: scheme, host and nothing else.
func orgURL(text string) (*url.URL, *hunt.Error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, hunt.Errorf(hunt.BadConfig, "url must be that of the organisation alone, such as https://example.okta.com")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, hunt.Errorf(hunt.BadConfig, "url must begin with https://, so that nobody on the way reads the token")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// wait waits on a timer.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements hunt.Connector. Searches that are running stop with SOURCE_UNAVAILABLE.
func (o *Okta) Close() error {
	o.close()
	o.http.CloseIdleConnections()
	return nil
}

// bind returns a context that ends with ctx and with the connection.
func (o *Okta) bind(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(o.closing, func() { cancel(context.Canceled) })
	return ctx, func() { stop(); cancel(nil) }
}

// fail says where an error happened.
func (o *Okta) fail(op string, err *hunt.Error) *hunt.Error {
	err.Op, err.Source = op, o.id.Tenant+"/"+o.id.Connection
	return err
}
