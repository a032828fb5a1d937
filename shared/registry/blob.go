package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Blob opens a blob for reading and tells its size, -1 if the server does
// not. A download that breaks is resumed where it stopped. The content is not
// verified: whoever reads it knows the digest.
func (c *Client) Blob(ctx context.Context, d digest.Digest) (io.ReadCloser, int64, error) {
	return c.BlobFrom(ctx, d, 0)
}

// BlobFrom is Blob without the first bytes, as many as from says. The size is
// that of the whole blob. If the server sends blobs only whole, the class of
// the error is errdef.ErrUnsupported.
func (c *Client) BlobFrom(ctx context.Context, d digest.Digest, from int64) (io.ReadCloser, int64, error) {
	b := &blobReader{ctx: ctx, c: c, d: d, at: from, last: from, stall: c.stall}
	b.connect = func(conn context.Context, at int64) (*http.Response, error) { return c.openBlob(conn, d, at) }
	resp, err := b.open()
	if err != nil {
		return nil, 0, wrap(err, "reading blob %s", d)
	}
	b.size = resp.ContentLength
	if b.size >= 0 {
		b.size += from
	}
	return b, b.size, nil
}

func (c *Client) openBlob(ctx context.Context, d digest.Digest, from int64) (*http.Response, error) {
	r := request{method: http.MethodGet, path: c.path("blobs/%s", d), scope: c.scope("pull")}
	if from > 0 {
		r.header = http.Header{"Range": {fmt.Sprintf("bytes=%d-", from)}}
	}
	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	if from > 0 && resp.StatusCode == http.StatusPartialContent || from == 0 && resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer drain(resp)
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return nil, errdef.Newf(errdef.ErrUnsupported, "the server cannot resume a download")
	}
	return nil, responseError(resp)
}

// blobReader reads a body and reconnects when it breaks, as long as each
// connection brings something.
type blobReader struct {
	ctx  context.Context //nolint:containedctx // the reader stands for one request
	c    *Client
	d    digest.Digest
	body io.ReadCloser
	size int64
	at   int64 // read so far
	last int64 // at, when it was last reconnected
	dry  int   // reconnects in a row that brought nothing
	// connect asks for what comes at the place.
	connect func(conn context.Context, at int64) (*http.Response, error)
	stall   time.Duration // a connection that brings nothing for so long is broken
	inParts bool          // there is another way to the blob: no second chance for who stalls

	// Of the connection: it is given up when the timer runs out.
	conn   context.Context //nolint:containedctx // as ctx
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// open connects, for what is not read yet.
func (b *blobReader) open() (*http.Response, error) {
	conn, cancel := context.WithCancelCause(b.ctx)
	timer := time.AfterFunc(b.stall, func() { cancel(errStalled) })
	if !b.inParts {
		timer.Stop() // the answer to that may take longer
	}
	resp, err := b.connect(conn, b.at)
	timer.Stop() // it runs during a Read: a slow reader is no stall
	if err != nil {
		if context.Cause(conn) == errStalled {
			err = errStalled
		}
		cancel(nil)
		return nil, err
	}
	b.conn, b.cancel, b.body, b.timer = conn, cancel, resp.Body, timer
	return resp, nil
}

// errStalled ends a download that brings nothing any more.
var errStalled error = stalled{}

type stalled struct{}

func (stalled) Error() string   { return "the server sent nothing any more" }
func (stalled) Timeout() bool   { return true }
func (stalled) Temporary() bool { return true }

func (b *blobReader) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.body.Read(p)
	b.timer.Stop()
	if cause := context.Cause(b.conn); err != nil && cause == errStalled {
		err = cause
	}
	b.at += int64(n)
	if err == nil || errors.Is(err, io.EOF) && (b.size < 0 || b.at >= b.size) {
		return n, err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if n > 0 {
		return n, nil // the next read finds the same error with nothing in hand
	}
	if rerr := b.reconnect(err); rerr != nil {
		return 0, rerr
	}
	return b.Read(p)
}

func (b *blobReader) reconnect(cause error) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	if b.at > b.last {
		b.dry, b.last = 0, b.at
	}
	if b.dry++; b.dry > 3 || b.at == 0 || !Transient(cause) || b.inParts && cause == errStalled {
		return wrap(cause, "reading blob %s", b.d)
	}
	b.Close()
	b.body = http.NoBody
	if b.dry > 1 {
		if err := Sleep(b.ctx, Backoff(b.dry-2, b.c.opts.RetryDelay)); err != nil {
			return err
		}
	}
	if _, err := b.open(); err != nil {
		return wrap(cause, "reading blob %s (resuming: %v)", b.d, err)
	}
	return nil
}

// Close ends the connection.
func (b *blobReader) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.body.Close()
}

// HasBlob tells whether the repository has the blob, and its size (-1 if the
// server does not say).
func (c *Client) HasBlob(ctx context.Context, d digest.Digest) (bool, int64, error) {
	resp, err := c.do(ctx, request{method: http.MethodHead, path: c.path("blobs/%s", d), scope: c.scope("pull,push")})
	if err != nil {
		return false, 0, err
	}
	defer drain(resp)
	switch resp.StatusCode {
	case http.StatusOK:
		return true, resp.ContentLength, nil
	case http.StatusNotFound:
		return false, 0, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return false, 0, errdef.Newf(errdef.ErrDenied, "checking whether a blob %s exists in %s: requested access to the resource is denied", d, c.repo)
	}
	return false, 0, wrap(responseError(resp), "checking whether a blob %s exists in %s", d, c.repo)
}

// Upload is a blob upload that the server has opened.
type Upload struct {
	c     *Client
	scope string
	url   string
}

// StartUpload opens an upload. If from names another repository of the
// registry, the server is asked to take the blob d from there; when it does,
// mounted is true and there is no upload.
func (c *Client) StartUpload(ctx context.Context, d digest.Digest, from string) (u *Upload, mounted bool, err error) {
	r := request{method: http.MethodPost, path: c.path("blobs/uploads/"), scope: c.scope("pull,push"), header: http.Header{"Content-Length": {"0"}}}
	if from != "" {
		r.path += "?" + url.Values{"mount": {d.String()}, "from": {from}}.Encode()
		r.scope += " repository:" + from + ":pull"
	}
	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, false, wrap(err, "starting an upload to %s", c.repo)
	}
	defer drain(resp)
	switch resp.StatusCode {
	case http.StatusCreated:
		return nil, true, nil
	case http.StatusAccepted:
		u := &Upload{c: c, scope: r.scope}
		return u, false, u.next(resp)
	}
	return nil, false, wrap(responseError(resp), "starting an upload to %s", c.repo)
}

// next takes the place of the next request from an answer.
func (u *Upload) next(resp *http.Response) error {
	place, err := resp.Location()
	if err != nil {
		return wrap(errNoLocation, "uploading to %s", u.c.repo)
	}
	if place.Host == resp.Request.URL.Host {
		// Behind a proxy that ends TLS, a server may give its own scheme.
		place.Scheme = resp.Request.URL.Scheme
	}
	u.url = place.String()
	return nil
}

// Put sends the whole blob of known digest and size.
func (u *Upload) Put(ctx context.Context, d digest.Digest, size int64, r io.Reader) error {
	return u.commit(ctx, d, size, r)
}

// Stream sends content whose digest is known only when it has been read.
// digest is called then, and the upload is closed under what it says.
func (u *Upload) Stream(ctx context.Context, r io.Reader, sum func() digest.Digest) error {
	resp, err := u.c.do(ctx, request{
		method: http.MethodPatch, path: u.url, scope: u.scope, body: onlyReader{r}, length: -1, once: true,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
	})
	if err != nil {
		return wrap(err, "uploading a blob to %s", u.c.repo)
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusCreated {
		return wrap(responseError(resp), "uploading a blob to %s", u.c.repo)
	}
	if err := u.next(resp); err != nil {
		return err
	}
	return u.commit(ctx, sum(), 0, nil)
}

func (u *Upload) commit(ctx context.Context, d digest.Digest, size int64, r io.Reader) error {
	place, err := url.Parse(u.url)
	if err != nil {
		return garbled("upload location", err)
	}
	q := place.Query()
	q.Set("digest", d.String())
	place.RawQuery = q.Encode()
	req := request{method: http.MethodPut, path: place.String(), scope: u.scope, once: true,
		header: http.Header{"Content-Type": {"application/octet-stream"}}}
	if r != nil {
		req.body, req.length = onlyReader{r}, size
		if size == 0 {
			req.body = http.NoBody
		}
	} else {
		req.header["Content-Length"] = []string{strconv.Itoa(0)}
	}
	resp, err := u.c.do(ctx, req)
	if err != nil {
		return wrap(err, "uploading blob %s to %s", d, u.c.repo)
	}
	defer drain(resp)
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusOK {
		return wrap(responseError(resp), "uploading blob %s to %s", d, u.c.repo)
	}
	return nil
}

// Cancel tells the server that the upload will not be finished.
func (u *Upload) Cancel(ctx context.Context) {
	resp, err := u.c.do(ctx, request{method: http.MethodDelete, path: u.url, scope: u.scope, once: true})
	if err == nil {
		drain(resp)
	}
}

// onlyReader hides what else a reader can do: net/http would close it. Where
// the size is unknown it writes larger pieces than net/http would read.
type onlyReader struct{ io.Reader }

// WriteTo is io.WriterTo.
func (r onlyReader) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r.Reader}, make([]byte, 256<<10))
}
