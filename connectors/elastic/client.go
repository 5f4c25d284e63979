package elastic

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/harrier-xdr/harrier/hunt"
)

// The products that this package knows.
const (
	productElasticsearch = "Elasticsearch"
	productOpenSearch    = "OpenSearch"
)

// Bounds of talking to a cluster.
const (
	dialTimeout = 5 * time.Second
	maxAnswer   = 512 << 20 // bytes of an answer; a page that is larger is asked for in smaller ones
	idleConns   = 32        // connections that are kept for each node
)

// product is what a cluster says that it is.
type product struct {
	name    string // productElasticsearch or productOpenSearch
	version string // "" if the credential may not ask
	cluster string // its UUID
}

func (p product) String() string { return strings.TrimSpace(p.name + " " + p.version) }

// major is the first number of the version, 0 if it is not known.
func (p product) major() int {
	major, _ := strconv.Atoi(strings.Split(p.version, ".")[0])
	return major
}

// since says whether the version is known and is not before one of major and minor number.
func (p product) since(first [2]int) bool {
	var major, minor int
	if _, err := fmt.Sscanf(p.version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > first[0] || major == first[0] && minor >= first[1]
}

// shortcuts says whether "terminated_early" in an answer without documents means nothing: OpenSearch 3 says so whenever it takes an
// aggregation from what an index knows anyway, which is whole. Nothing but a request's own terminate_after ends a search early, and none
// has one.
func (p product) shortcuts() bool { return p.name == productOpenSearch && p.major() >= 3 }

// client talks to one cluster. It is safe for concurrent use. All its errors are *hunt.Error.
type client struct {
	identity  hunt.Identity
	transport *elastictransport.Client
	idle      interface{ CloseIdleConnections() }
	urls      []*url.URL
	secrets   []string    // what must not be in any text
	stale     atomic.Bool // the cluster said something that contradicts what is known of it
}

// newClient prepares a client; it does not connect. The error is BAD_CONFIG.
func newClient(id hunt.Identity, cfg *Config, secret func(string) (string, error)) (*client, error) {
	c := &client{identity: id}
	for _, text := range cfg.URLs {
		u, err := parseURL(text)
		if err != nil {
			return nil, err
		}
		c.urls = append(c.urls, u)
	}
	password, err := c.reveal("password", cfg.Password, secret)
	if err != nil {
		return nil, err
	}
	key, err := c.reveal("api_key", cfg.APIKey, secret)
	if err != nil {
		return nil, err
	}
	round, err := roundTripper(cfg, c.urls)
	if err != nil {
		return nil, err
	}
	c.idle = round
	c.transport, err = elastictransport.NewClient(append(c.options(cfg, password, key), elastictransport.WithTransport(replaying{round}))...)
	if err != nil {
		return nil, hunt.Errorf(hunt.BadConfig, "the client cannot be made: %w", err)
	}
	return c, nil
}

func (c *client) options(cfg *Config, password, key string) []elastictransport.Option {
	options := []elastictransport.Option{elastictransport.WithURLs(c.urls...), elastictransport.WithUserAgent("harrier")}
	switch {
	case key != "":
		options = append(options, elastictransport.WithAPIKey(key))
	case cfg.Username != "":
		c.secrets = append(c.secrets, base64.StdEncoding.EncodeToString([]byte(cfg.Username+":"+password))) // as it is sent
		options = append(options, elastictransport.WithBasicAuth(cfg.Username, password))
	}
	if len(c.urls) == 1 {
		return append(options, elastictransport.WithDisableRetry())
	}
	// A node that cannot be reached is left for the next one; an answer of a node is an answer.
	return append(options, elastictransport.WithRetry(len(c.urls)-1),
		elastictransport.WithRetryOnError(func(r *http.Request, err error) bool { return r.Context().Err() == nil && notSent(err) }))
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, hunt.Errorf(hunt.BadConfig, "a URL is no http:// or https:// address of a node")
	}
	if u.User != nil {
		return nil, hunt.Errorf(hunt.BadConfig, "the URL of %s holds a credential; give username and password, the password as env:NAME or file:PATH", u.Host)
	}
	return u, nil
}

// reveal resolves a reference to a secret and remembers the secret, so that it never gets into a text.
func (c *client) reveal(name, ref string, secret func(string) (string, error)) (string, error) {
	if ref == "" {
		return "", nil
	}
	if secret == nil {
		return "", hunt.Errorf(hunt.BadConfig, "%s is given, but nothing can read secrets here", name)
	}
	value, err := secret(ref)
	if err != nil {
		return "", &hunt.Error{Code: hunt.BadConfig, Message: name + " cannot be read; give env:NAME or file:PATH", Cause: err}
	}
	value = strings.TrimSpace(value)
	if value == "" {
		return "", hunt.Errorf(hunt.BadConfig, "%s is empty where it is kept", name)
	}
	c.secrets = append(c.secrets, value)
	return value, nil
}

// roundTripper makes the HTTP side: which certificates are trusted, and compression unless all nodes are on this machine.
func roundTripper(cfg *Config, urls []*url.URL) (*http.Transport, error) {
	tlsConfig, err := tlsConfig(cfg)
	if err != nil {
		return nil, err
	}
	local := true
	for _, u := range urls {
		local = local && isLoopback(u.Hostname())
	}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig: tlsConfig, TLSHandshakeTimeout: dialTimeout, DisableCompression: local,
		MaxIdleConnsPerHost: idleConns, IdleConnTimeout: 90 * time.Second, ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10,
	}, nil
}

// replaying lets a search, and the opening of a point in time, be sent again over a new connection if a node, or a proxy before it, closes
// an idle one at the moment at which it is used. http.Transport does so by itself for what changes nothing, which of a POST it does not know.
type replaying struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t replaying) RoundTrip(r *http.Request) (*http.Response, error) {
	at := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	if r.Method != http.MethodPost || at != "_search" && at != "_pit" && at != "point_in_time" {
		return t.Transport.RoundTrip(r)
	}
	again := r.WithContext(r.Context())
	again.Header = r.Header.Clone()
	again.Header["X-Idempotency-Key"] = nil // is a mark for http.Transport, which does not send it
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
		again.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		again.Body, _ = again.GetBody()
	}
	return t.Transport.RoundTrip(again)
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// tlsConfig trusts the authority of the settings, or the system's; with a fingerprint it trusts the one certificate that has it.
func tlsConfig(cfg *Config) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA != "" {
		text, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, hunt.Errorf(hunt.BadConfig, "ca cannot be read: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(text) {
			return nil, hunt.Errorf(hunt.BadConfig, "ca: %s holds no PEM certificate", cfg.CA)
		}
	}
	if cfg.Fingerprint == "" {
		return out, nil
	}
	want, err := hex.DecodeString(strings.ReplaceAll(cfg.Fingerprint, ":", ""))
	if err != nil || len(want) != sha256.Size {
		return nil, hunt.Errorf(hunt.BadConfig, "fingerprint is no SHA-256 in hex")
	}
	// The fingerprint names the certificate itself, so that neither its name nor its authority matters, unless an authority is given.
	out.InsecureSkipVerify = cfg.CA == ""
	out.VerifyConnection = func(s tls.ConnectionState) error {
		if got := sha256.Sum256(s.PeerCertificates[0].Raw); !bytes.Equal(got[:], want) {
			return errFingerprint
		}
		return nil
	}
	return out, nil
}

var errFingerprint = errors.New("the server's certificate has another fingerprint")

// close ends idle connections.
func (c *client) close() { c.idle.CloseIdleConnections() }

// notSent says whether a request has certainly not reached a node, so that another node may be asked even to write.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// answer is a whole answer of the cluster.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request and reads the whole answer into buf, which may be nil. An answer with a status that is no success is an error; the
// answer is returned with it.
func (c *client) do(ctx context.Context, r esapi.Request, buf []byte) (*answer, error) {
	res, err := r.Do(ctx, c.transport)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	a := &answer{status: res.StatusCode, header: res.Header}
	a.body, err = readAll(res.Body, buf)
	if err != nil {
		return nil, c.cut(ctx, err)
	}
	if !res.IsError() {
		return a, nil
	}
	refused := c.refused(a)
	if refused.Code == hunt.SourceChanged && reads(r) {
		c.stale.Store(true)
	}
	return a, refused
}

// reads says whether a request reads events of indices that were described.
func reads(r esapi.Request) bool {
	switch r := r.(type) {
	case esapi.SearchRequest:
		return true
	case raw:
		return r.method == http.MethodPost && (strings.HasSuffix(r.path, "/_pit") || strings.HasSuffix(r.path, "/_search/point_in_time"))
	}
	return false
}

// get sends a request and decodes its answer.
func (c *client) get(ctx context.Context, r esapi.Request, into any) error {
	a, err := c.do(ctx, r, nil)
	if err != nil {
		return err
	}
	return c.decode(a, into)
}

func (c *client) decode(a *answer, into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return c.fail(hunt.SourceDamaged, true, "the cluster's answer is no JSON of the expected form; look for a proxy between: "+shorten(err.Error()))
	}
	return nil
}

var errTooLarge = errors.New("the answer is too large")

func readAll(r io.Reader, buf []byte) ([]byte, error) {
	b := bytes.NewBuffer(buf[:0])
	if _, err := b.ReadFrom(io.LimitReader(r, maxAnswer+1)); err != nil {
		return nil, err
	}
	if b.Len() > maxAnswer {
		return nil, errTooLarge
	}
	return b.Bytes(), nil
}

// raw is a request that esapi has no type for, because only one product knows it.
type raw struct {
	method, path string
	query        url.Values
	body         []byte
}

// Do implements esapi.Request.
func (r raw) Do(ctx context.Context, t esapi.Transport) (*esapi.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, "http:///"+r.path+"?"+r.query.Encode(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	if len(r.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := t.Perform(req)
	if err != nil {
		return nil, err
	}
	return &esapi.Response{StatusCode: res.StatusCode, Body: res.Body, Header: res.Header}, nil
}

// about asks the cluster what it is.
func (c *client) about(ctx context.Context) (product, error) {
	a, err := c.do(ctx, esapi.InfoRequest{}, nil)
	if a == nil {
		return product{}, err
	}
	stranger := c.fail(hunt.SourceUnavailable, false, "what answers is neither Elasticsearch nor OpenSearch; check the URL")
	switch ours := a.header.Get("X-Elastic-Product") == productElasticsearch; {
	case err != nil && a.status == http.StatusForbidden && ours:
		return product{name: productElasticsearch}, nil // the credential may not ask for the version; it may do other things
	case err != nil && !ours && (a.status < http.StatusBadRequest || a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed):
		return product{}, stranger
	case err != nil:
		return product{}, err
	}
	var info struct {
		UUID    string `json:"cluster_uuid"`
		Tagline string `json:"tagline"`
		Version struct {
			Number       string `json:"number"`
			Distribution string `json:"distribution"`
		} `json:"version"`
	}
	if json.Unmarshal(a.body, &info) != nil || info.Version.Number == "" {
		return product{}, stranger
	}
	p := product{name: productElasticsearch, version: info.Version.Number, cluster: info.UUID}
	switch {
	case info.Version.Distribution == "opensearch":
		p.name = productOpenSearch
	case a.header.Get("X-Elastic-Product") != productElasticsearch && !strings.HasPrefix(info.Tagline, "You Know, for Search"):
		return product{}, stranger
	}
	return p, c.supported(p)
}

// supported refuses versions that lack what a complete search needs (points in time).
func (c *client) supported(p product) error {
	if p.name == productElasticsearch && p.major() < 8 || p.name == productOpenSearch && p.major() < 2 {
		return c.fail(hunt.SourceUnavailable, false, p.String()+" is too old; Elasticsearch 8 or OpenSearch 2 is needed")
	}
	return nil
}

// fail makes an error.
func (c *client) fail(code hunt.Code, retryable bool, message string) *hunt.Error {
	return &hunt.Error{Op: "elastic", Source: c.identity.Tenant + "/" + c.identity.Connection, Code: code, Message: c.clean(message), Retryable: retryable}
}

// clean takes secrets out of a text that may repeat what was sent, and makes it one line.
func (c *client) clean(text string) string {
	for _, s := range c.secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	return strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
}

func shorten(text string) string {
	const most = 300
	if len(text) > most {
		return text[:most] + " ..."
	}
	return text
}

// unreachable says why no answer came.
func (c *client) unreachable(ctx context.Context, err error) *hunt.Error {
	if e := c.ended(ctx); e != nil {
		return e
	}
	hosts := make([]string, len(c.urls))
	for i, u := range c.urls {
		hosts[i] = u.Host
	}
	at := strings.Join(hosts, ", ")
	var (
		dns      *net.DNSError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
	)
	message, retryable := at+" cannot be reached; check the address, the firewalls between and whether the node runs: "+shorten(err.Error()), true
	switch {
	case errors.Is(err, errFingerprint):
		message, retryable = at+": "+errFingerprint.Error()+"; if it was renewed, set fingerprint anew", false
	case errors.As(err, &unknown):
		message, retryable = at+": the server's certificate is of an authority that is not trusted; set ca to the authority's PEM file", false
	case errors.As(err, &hostname), errors.As(err, &invalid):
		message, retryable = at+": the server's certificate is not valid: "+shorten(err.Error()), false
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		message, retryable = at+": the server speaks no TLS; use http://", false
	case errors.As(err, &dns):
		message = at + ": the name cannot be resolved; check urls and the name service: " + dns.Err
	case errors.Is(err, syscall.ECONNREFUSED):
		message = at + ": nothing listens there; is the node running?"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		message = at + ": the connection was closed without an answer; a node that requires TLS does that to http://"
	}
	out := c.fail(hunt.SourceUnavailable, retryable, message)
	return out
}

// ended says that the caller's context is over, nil if it is not.
func (c *client) ended(ctx context.Context) *hunt.Error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return &hunt.Error{Op: "elastic", Source: c.identity.Tenant + "/" + c.identity.Connection, Code: hunt.SourceTimeout, Retryable: true,
			Message: "the cluster did not answer before the deadline", Cause: err}
	default:
		return &hunt.Error{Op: "elastic", Source: c.identity.Tenant + "/" + c.identity.Connection, Code: hunt.Cancelled, Message: "the search was cancelled", Cause: err}
	}
}

// cut says that an answer broke off.
func (c *client) cut(ctx context.Context, err error) *hunt.Error {
	if e := c.ended(ctx); e != nil {
		return e
	}
	if errors.Is(err, errTooLarge) {
		e := c.fail(hunt.SourceDamaged, false, fmt.Sprintf("an answer has more than %d MiB", maxAnswer>>20))
		e.Cause = errTooLarge
		return e
	}
	return c.fail(hunt.SourceDamaged, true, "the answer was cut in the middle: "+shorten(err.Error()))
}

// problem is the body of an error.
type problem struct {
	Type   string
	Reason string
	Index  string
	Shards []shardFailure // of failed_shards
	Roots  []cause
}

// cause is one cause of an error.
type cause struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
	Index  string `json:"index"`
}

// shardFailure is what the cluster says of a shard that gave nothing.
type shardFailure struct {
	Shard  int    `json:"shard"`
	Index  string `json:"index"`
	Reason cause  `json:"reason"`
}

// problemOf reads the body of an error; both `{"error":{...}}` and `{"error":"text"}` occur, and proxies send anything.
func problemOf(body []byte) problem {
	var outer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &outer) != nil || len(outer.Error) == 0 {
		return problem{Reason: shorten(string(body))}
	}
	var inner struct {
		cause
		Roots  []cause        `json:"root_cause"`
		Shards []shardFailure `json:"failed_shards"`
	}
	if json.Unmarshal(outer.Error, &inner) != nil {
		var text string
		_ = json.Unmarshal(outer.Error, &text) // what is neither stays empty
		return problem{Reason: text}
	}
	return problem{Type: inner.Type, Reason: inner.Reason, Index: inner.Index, Shards: inner.Shards, Roots: inner.Roots}
}

// has says whether the problem, or one of its causes, is of one of the types.
func (p problem) has(types ...string) bool {
	all := []string{p.Type}
	for _, r := range p.Roots {
		all = append(all, r.Type)
	}
	for _, s := range p.Shards {
		all = append(all, s.Reason.Type)
	}
	for _, have := range all {
		for _, t := range types {
			if have == t {
				return true
			}
		}
	}
	return false
}

// detail is the most telling text of a problem.
func (p problem) detail() string {
	if len(p.Roots) > 0 && p.Roots[0].Reason != "" {
		return p.Roots[0].Type + ": " + p.Roots[0].Reason
	}
	if len(p.Shards) > 0 && p.Shards[0].Reason.Reason != "" {
		return p.Shards[0].Reason.Type + ": " + p.Shards[0].Reason.Reason
	}
	return strings.TrimPrefix(p.Type+": "+p.Reason, ": ")
}

// refused makes an error of an answer that is no success. Its cause is a *refusal.
func (c *client) refused(a *answer) *hunt.Error {
	p := problemOf(a.body)
	detail := shorten(p.detail())
	var e *hunt.Error
	switch {
	case a.status == http.StatusUnauthorized:
		e = c.fail(hunt.SourceDenied, false, "the credential is wrong or expired; renew it where the settings point to: "+detail)
	case a.status == http.StatusForbidden:
		e = c.fail(hunt.SourceDenied, false, "the credential may not do this; grant it read and view_index_metadata on the indices: "+detail)
	case a.status == http.StatusTooManyRequests:
		e = c.fail(hunt.SourceThrottled, true, "the cluster has too much to do: "+detail)
		e.RetryAfter = retryAfter(a.header.Get("Retry-After"), time.Now())
	case a.status == http.StatusNotFound || p.has("index_not_found_exception", "index_closed_exception", "search_context_missing_exception"):
		e = c.fail(hunt.SourceChanged, true, "an index or a point in time is not there any more; ask again: "+detail)
	case a.status == http.StatusServiceUnavailable || a.status == http.StatusBadGateway || a.status == http.StatusGatewayTimeout:
		e = c.fail(hunt.SourceUnavailable, true, "the cluster cannot answer now: "+detail)
		e.RetryAfter = retryAfter(a.header.Get("Retry-After"), time.Now())
	case frugality(detail):
		e = c.fail(hunt.SourceChanged, true, "the cluster does not take expensive queries any more; ask again: "+detail)
	default:
		e = c.fail(hunt.SourceFailed, a.status >= http.StatusInternalServerError, fmt.Sprintf("the cluster refused the request (HTTP %d): %s", a.status, detail))
	}
	e.Cause = &refusal{status: a.status, problem: p}
	return e
}

// frugality says whether a query was refused because search.allow_expensive_queries is false.
func frugality(detail string) bool { return strings.Contains(detail, "allow_expensive_queries") }

// refusal is what the cluster said when it refused a request.
type refusal struct {
	status  int
	problem problem
}

// Error writes the type of the problem.
func (r *refusal) Error() string { return fmt.Sprintf("HTTP %d %s", r.status, r.problem.Type) }

// refusalOf returns what the cluster said, nil if it said nothing.
func refusalOf(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	return nil
}

// tooLarge says whether an answer was refused, by them or by us, because of its size, so that a smaller one may be given.
func tooLarge(err error) bool {
	if errors.Is(err, errTooLarge) {
		return true
	}
	r := refusalOf(err)
	return r != nil && (r.status == http.StatusRequestEntityTooLarge || r.problem.has("circuit_breaking_exception") ||
		r.status == http.StatusBadRequest && strings.Contains(cmp.Or(r.problem.detail(), ""), "Result window is too large"))
}

// retryAfter reads the header of that name: seconds or a date. 0 if it says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
