package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/podsuite/podsuite/shared/auth"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// Limits of what a registry may send, in bytes.
const (
	MaxManifestSize = 4 << 20
	maxErrorSize    = 64 << 10
	maxTokenSize    = 1 << 20
	maxListSize     = 32 << 20
)

// Options adjust how a registry is talked to.
type Options struct {
	Credentials *auth.Credentials // nil: those stored for the repository
	Anonymous   bool              // use none
	Token       string            // a bearer token to send as it is
	AuthFile    string            // "": the default files
	CertDir     string            // "": certs.d of the configuration
	TLSVerify   *bool             // nil: as registries.conf says
	UserAgent   string
	Retries     int           // further attempts after a transient error
	RetryDelay  time.Duration // 0: 1 s, doubled each time
	PartsStall  time.Duration // 0: partsTimeout
	Log         func(string)  // nil: told of each request otherwise
	Pool        *Pool         // nil: a client is used once
}

// stallTimeout is generous: a server may be busy, a line slow.
const stallTimeout = 2 * time.Minute

// partsTimeout is how long a server may send nothing when it was asked for parts of
// a blob: whoever asks can have the whole blob instead.
const partsTimeout = 15 * time.Second

// DefaultUserAgent names the client when Options don't.
const DefaultUserAgent = "podsuite/1"

// Client talks to one repository. It is safe for concurrent use.
type Client struct {
	repo     ref.Name // Domain and Path
	insecure bool
	opts     Options
	cfg      *config.Config
	http     *http.Client
	stall    time.Duration // a download that brings nothing for so long is broken
	oneRange atomic.Bool   // the server doesn't send several ranges of a blob at once

	mu     sync.Mutex
	pinged bool
	scheme string
	login  *challenge // nil: none wanted
	creds  *auth.Credentials
	tokens map[string]token // by scope
}

// New makes a client for the repository of name, whose place is taken as it
// is: mirrors and rewriting are the caller's (config.Registries.Endpoints).
// insecure allows plain HTTP and certificates that cannot be verified.
func New(cfg *config.Config, name ref.Name, insecure bool, opts Options) (*Client, error) {
	if opts.TLSVerify != nil {
		insecure = !*opts.TLSVerify
	}
	if opts.UserAgent == "" {
		opts.UserAgent = DefaultUserAgent
	}
	create := func() (*Client, error) { return newClient(cfg, name, insecure, opts) }
	if opts.Pool != nil {
		return opts.Pool.client(name.Repository(), insecure, create)
	}
	return create()
}

func newClient(cfg *config.Config, name ref.Name, insecure bool, opts Options) (*Client, error) {
	c := &Client{repo: name.Repository(), insecure: insecure, opts: opts, cfg: cfg, tokens: map[string]token{}, stall: stallTimeout}
	tlsConfig, err := c.tlsConfig()
	if err != nil {
		return nil, err
	}
	c.http = &http.Client{
		CheckRedirect: c.checkRedirect,
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           dialWide(&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}),
			TLSClientConfig:       tlsConfig,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 5 * time.Minute,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       90 * time.Second,
			DisableCompression:    true,
			ReadBufferSize:        64 << 10,
			WriteBufferSize:       64 << 10,
		},
	}
	return c, nil
}

// Open makes a client for name with what registries.conf says of its registry,
// mirrors left aside: the way to push, list and delete.
func Open(cfg *config.Config, name ref.Name, opts Options) (*Client, error) {
	r, err := cfg.Registries()
	if err != nil {
		return nil, err
	}
	places, err := r.Endpoints(name.String())
	if err != nil {
		return nil, err
	}
	return New(cfg, name, places[len(places)-1].Insecure, opts)
}

// Repository is the repository that the client talks to.
func (c *Client) Repository() ref.Name { return c.repo }

// Insecure tells whether plain HTTP is allowed.
func (c *Client) Insecure() bool { return c.insecure }

// Close drops idle connections, unless a pool keeps them.
func (c *Client) Close() {
	if c.opts.Pool == nil {
		c.http.CloseIdleConnections()
	}
}

// host is the server's address: Docker Hub's has another name than its images.
func (c *Client) host() string {
	if c.repo.Domain == ref.DefaultDomain {
		return "registry-1.docker.io"
	}
	return c.repo.Domain
}

// checkRedirect keeps credentials from other hosts and encrypted traffic
// encrypted.
func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	first := via[0]
	if req.URL.Host != first.URL.Host {
		req.Header.Del("Authorization")
	}
	if first.URL.Scheme == "https" && req.URL.Scheme != "https" && !c.insecure {
		return fmt.Errorf("refused a redirect to plain HTTP at %s", req.URL.Host)
	}
	return nil
}

// ping finds out how the registry is reached and what authentication it
// wants. It asks once; an error is not remembered.
func (c *Client) ping(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pinged {
		return nil
	}
	schemes := []string{"https"}
	if c.insecure {
		schemes = append(schemes, "http")
	}
	var err error
	for _, scheme := range schemes {
		if err = c.pingScheme(ctx, scheme); err == nil {
			c.scheme, c.pinged = scheme, true
			return nil
		}
		var network net.Error
		if ctx.Err() != nil || errors.As(err, &network) && network.Timeout() {
			break
		}
	}
	return c.pingError(err)
}

func (c *Client) pingScheme(ctx context.Context, scheme string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+c.host()+"/v2/", nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	resp, err := c.send(req)
	if err != nil {
		return err
	}
	defer drain(resp)
	switch resp.StatusCode {
	case http.StatusOK:
		c.login = nil
		return nil
	case http.StatusUnauthorized:
		c.login = pickChallenge(resp.Header.Values("WWW-Authenticate"))
		return nil
	}
	return responseError(resp)
}

// pingError says what failed and, where one setting would help, which.
func (c *Client) pingError(err error) error {
	err = fmt.Errorf("pinging container registry %s: %w", c.host(), err)
	if strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		err = fmt.Errorf("%w (the server speaks plain HTTP; to allow that, put [[registry]] location = %q insecure = true in registries.conf)", err, c.repo.Domain)
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		err = fmt.Errorf("%w (put the registry's CA certificate into certs.d/%s/ca.crt)", err, c.repo.Domain)
	}
	return errdef.As(errdef.ErrUnavailable, err)
}

// request describes one exchange with the registry.
type request struct {
	method, path string // path starts with /v2/ or is an absolute URL
	header       http.Header
	body         io.Reader
	length       int64 // of body; -1 unknown
	scope        string
	once         bool // the body cannot be sent again: no retry
}

// do sends the request with authentication, once more after an expired or
// insufficient token, and again after transient errors.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	for attempt := 0; ; attempt++ {
		resp, err := c.attempt(ctx, r)
		if err == nil && (!temporaryStatus(resp.StatusCode) || r.once || attempt >= c.opts.Retries) {
			return resp, nil
		}
		if err != nil && (r.once || attempt >= c.opts.Retries || !Transient(err)) {
			return nil, err
		}
		wait := Backoff(attempt, c.opts.RetryDelay)
		if resp != nil {
			wait = max(wait, retryAfter(resp))
			drain(resp)
		}
		if err := Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (c *Client) attempt(ctx context.Context, r request) (*http.Response, error) {
	if err := c.ping(ctx); err != nil {
		return nil, err
	}
	resp, err := c.authorized(ctx, r, false)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || r.once && r.body != nil {
		return resp, err
	}
	again := pickChallenge(resp.Header.Values("WWW-Authenticate"))
	if again == nil || again.scheme != "bearer" {
		return resp, nil
	}
	drain(resp)
	c.mu.Lock()
	c.login = again
	c.mu.Unlock()
	return c.authorized(ctx, r, true)
}

// authorized sends the request once; renew asks for a new token.
func (c *Client) authorized(ctx context.Context, r request, renew bool) (*http.Response, error) {
	url := r.path
	if strings.HasPrefix(url, "/") {
		url = c.scheme + "://" + c.host() + url
	}
	if s, ok := r.body.(io.Seeker); ok {
		if _, err := s.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, r.method, url, r.body)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		req.ContentLength = r.length
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	if req.URL.Host == c.host() {
		if err := c.authorize(ctx, req, r.scope, renew); err != nil {
			return nil, err
		}
	}
	return c.send(req)
}

// send gives errors without the query of the URL, which may hold secrets.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		err = redact(err)
	}
	if c.opts.Log != nil {
		outcome := fmt.Sprint(err)
		if err == nil {
			outcome = resp.Status
		}
		c.opts.Log(fmt.Sprintf("%s %s://%s%s: %s", req.Method, req.URL.Scheme, req.URL.Host, req.URL.Path, outcome))
	}
	return resp, err
}

// drain lets the connection of an answer be used again.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxErrorSize)
	resp.Body.Close()
}

// readLimited reads a body that must not be larger than limit.
func readLimited(resp *http.Response, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errdef.Newf(errdef.ErrInvalid, "the answer is larger than %d bytes", limit)
	}
	return data, err
}
