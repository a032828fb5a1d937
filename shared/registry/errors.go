package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
)

// StatusError is an answer with an unexpected status.
type StatusError struct {
	Status int
	Code   string // of the distribution specification, e.g. MANIFEST_UNKNOWN
	Text   string
}

func (e *StatusError) Error() string { return e.Text }

// Is classes the error by its status.
func (e *StatusError) Is(target error) bool {
	switch e.Status {
	case http.StatusNotFound:
		return target == errdef.ErrNotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return target == errdef.ErrDenied
	case http.StatusMethodNotAllowed:
		return target == errdef.ErrUnsupported
	}
	return temporaryStatus(e.Status) && target == errdef.ErrUnavailable
}

// responseError makes one line of an answer that is not what was asked for.
func responseError(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorSize))
	e := &StatusError{Status: resp.StatusCode}
	var parsed struct {
		Errors []struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(body, &parsed) == nil && len(parsed.Errors) > 0 {
		first := parsed.Errors[0]
		e.Code = first.Code
		e.Text = strings.ToLower(strings.ReplaceAll(first.Code, "_", " "))
		if m := oneLine(first.Message); m != "" && !strings.EqualFold(m, e.Text) {
			e.Text += ": " + m
		}
		if e.Text == "" {
			e.Text = "received unexpected HTTP status: " + resp.Status
		}
		return e
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		e.Text = "unauthorized: authentication required"
	case http.StatusForbidden:
		e.Text = "denied: access to the resource is not allowed"
	default:
		e.Text = "received unexpected HTTP status: " + resp.Status
	}
	return e
}

// oneLine keeps a foreign text from breaking the message it goes into.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return s
}

// redact takes the query out of the URL that net/http puts into its errors.
func redact(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if base, _, ok := strings.Cut(u.URL, "?"); ok {
			u.URL = base
		}
	}
	return err
}

func temporaryStatus(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// Transient tells whether trying again may help: a broken connection, a
// timeout, a server in trouble. A refused connection, an unknown host and a
// bad certificate stay what they are.
func Transient(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ECONNREFUSED) {
		return false
	}
	var status *StatusError
	if errors.As(err, &status) {
		return temporaryStatus(status.Status)
	}
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ETIMEDOUT) {
		return true
	}
	var u *url.Error
	if errors.As(err, &u) && errors.Is(u.Err, io.EOF) {
		return true
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary && !dns.IsNotFound
	}
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// Backoff is how long to wait before the attempt after the given one (from 0):
// the fixed delay, or 1 s doubled each time.
func Backoff(attempt int, fixed time.Duration) time.Duration {
	if fixed > 0 {
		return fixed
	}
	return time.Second << min(attempt, 6)
}

// retryAfter is the wait that the answer asks for, a minute at most.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 60)) * time.Second
}

// Sleep waits, or ends early with the context's error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// garbled is the error for an answer of the right status and wrong content.
func garbled(what string, err error) error {
	return errdef.Newf(errdef.ErrInvalid, "parsing %s: the server's answer is not what a registry sends: %w", what, err)
}

var errNoLocation = errors.New("the answer has no Location header")

func wrap(err error, format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, err)...)
}
