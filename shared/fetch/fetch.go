package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
)

// File is a file on its way. Reading it fails if the connection breaks before
// its end.
type File struct {
	io.ReadCloser
	Size     int64     // bytes, -1 if unknown
	Modified time.Time // zero if unknown
}

// How long a server may take for its parts of the work, but for the content.
const (
	connectTimeout = 30 * time.Second
	answerTimeout  = 60 * time.Second
)

// IsURL tells whether s names a file of the web.
func IsURL(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// Options are how a server is asked. The zero value asks once, and believes
// certificates that the system knows.
type Options struct {
	TLS        *tls.Config   // nil: believe the certificates that the system knows
	Retries    int           // further attempts where the server can't be reached or is in trouble
	RetryDelay time.Duration // 0: 1 s, doubled each time
}

// Open asks for the file. Redirections are followed, but never from https to
// http.
func Open(ctx context.Context, address string, o Options) (*File, error) {
	delay := o.RetryDelay
	for left := o.Retries; ; left-- {
		f, err := open(ctx, address, o)
		if err == nil || left <= 0 || !errors.Is(err, errdef.ErrUnavailable) {
			return f, err
		}
		if o.RetryDelay == 0 {
			delay = max(time.Second, 2*delay)
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(delay):
		}
	}
}

func open(ctx context.Context, address string, o Options) (*File, error) {
	u, err := url.Parse(address)
	if err != nil || !IsURL(address) || u.Host == "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "%q is no address of the web: want http:// or https://", address)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "podsuite/1")
	resp, err := client(o).Do(req)
	if err != nil {
		if errors.Is(err, errdef.ErrInvalid) || errors.Is(err, errdef.ErrDenied) {
			return nil, err
		}
		return nil, errdef.As(errdef.ErrUnavailable, err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, statusError(address, resp.StatusCode)
	}
	f := &File{ReadCloser: resp.Body, Size: resp.ContentLength}
	if t, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		f.Modified = t
	}
	return f, nil
}

func client(o Options) *http.Client {
	if o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:       o.TLS,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: answerTimeout,
		DisableCompression:    true, // a file that is compressed stays so
		DisableKeepAlives:     true,
	}
	return &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) > 10:
			return errdef.Newf(errdef.ErrInvalid, "stopped after 10 redirections")
		case via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https":
			return errdef.Newf(errdef.ErrDenied, "redirected from https to %q, which isn't protected", req.URL.Redacted())
		}
		return nil
	}}
}

func statusError(address string, status int) error {
	err := fmt.Errorf("fetch %q: the server answered %d %s", address, status, http.StatusText(status))
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return errdef.As(errdef.ErrNotFound, err)
	case http.StatusUnauthorized, http.StatusForbidden:
		return errdef.As(errdef.ErrDenied, err)
	}
	if status < 500 && status != http.StatusTooManyRequests {
		return errdef.As(errdef.ErrInvalid, err)
	}
	return errdef.As(errdef.ErrUnavailable, err)
}
