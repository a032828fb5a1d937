package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Range is a part of a blob, in bytes: From up to To, which it is without.
type Range struct{ From, To int64 }

// maxRanges bounds the ranges of one request: servers take some 8 KB of headers.
const maxRanges = 200

// BlobRanges opens parts of a blob of the size, which are in ascending order
// and apart from each other, and reads them as one stream without its first
// bytes, as many as from says. If the server sends blobs only whole, or other
// parts than it was asked for, the class of the error is errdef.ErrUnsupported.
func (c *Client) BlobRanges(ctx context.Context, d digest.Digest, size int64, ranges []Range, from int64) (io.ReadCloser, error) {
	total, last := int64(0), int64(0)
	for _, r := range ranges {
		if r.From < last || r.To <= r.From || r.To > size {
			return nil, errdef.Newf(errdef.ErrInvalid, "reading blob %s: it has no bytes %d-%d, or they are out of order", d, r.From, r.To-1)
		}
		total, last = total+r.To-r.From, r.To
	}
	if from >= total {
		return http.NoBody, nil
	}
	b := &blobReader{ctx: ctx, c: c, d: d, at: from, last: from, size: total, stall: cmp.Or(c.opts.PartsStall, partsTimeout), inParts: true}
	b.connect = func(conn context.Context, at int64) (*http.Response, error) {
		return c.openRanges(conn, d, size, after(ranges, at))
	}
	if _, err := b.open(); err != nil {
		return nil, wrap(err, "reading parts of blob %s", d)
	}
	return b, nil
}

// ManyRanges tells whether the server is not known to send one range for each
// request only.
func (c *Client) ManyRanges() bool { return !c.oneRange.Load() }

// after leaves out the first bytes of the ranges.
func after(ranges []Range, n int64) []Range {
	for n > 0 && n >= ranges[0].To-ranges[0].From {
		n -= ranges[0].To - ranges[0].From
		ranges = ranges[1:]
	}
	rest := append([]Range(nil), ranges[:min(len(ranges), maxRanges)]...)
	rest[0].From += n
	return rest
}

// openRanges asks for the ranges. The body of the answer is what was asked for,
// or the beginning of that.
func (c *Client) openRanges(ctx context.Context, d digest.Digest, size int64, ranges []Range) (*http.Response, error) {
	if c.oneRange.Load() {
		ranges = ranges[:1]
	}
	var spec strings.Builder
	for i, r := range ranges {
		if i > 0 {
			spec.WriteByte(',')
		}
		fmt.Fprintf(&spec, "%d-%d", r.From, r.To-1)
	}
	resp, err := c.do(ctx, request{
		method: http.MethodGet, path: c.path("blobs/%s", d), scope: c.scope("pull"),
		header: http.Header{"Range": {"bytes=" + spec.String()}},
		once:   true, // the whole blob is a better second attempt
	})
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusPartialContent:
		p := &parts{body: resp.Body, size: size, want: ranges}
		kind, params, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if kind == "multipart/byteranges" {
			p.multi = multipart.NewReader(resp.Body, params["boundary"])
		} else {
			err := p.begin(resp.Header.Get("Content-Range"), resp.Body)
			if len(ranges) > 1 && p.end < ranges[len(ranges)-1].To {
				c.oneRange.Store(true)
			}
			if err != nil {
				resp.Body.Close()
				return nil, err
			}
		}
		resp.Body = p
		return resp, nil
	case http.StatusOK, http.StatusRequestedRangeNotSatisfiable, http.StatusBadRequest, http.StatusNotImplemented:
		if len(ranges) > 1 {
			resp.Body.Close() // it may be the whole blob
			c.oneRange.Store(true)
			return c.openRanges(ctx, d, size, ranges)
		}
		if resp.StatusCode == http.StatusBadRequest {
			break
		}
		resp.Body.Close()
		return nil, errdef.Newf(errdef.ErrUnsupported, "the server sends blobs only whole")
	}
	defer drain(resp)
	return nil, responseError(resp)
}

// parts reads the ranges out of an answer, as far as it goes.
type parts struct {
	body  io.ReadCloser
	multi *multipart.Reader // nil: the answer is one part
	size  int64             // of the blob
	want  []Range           // what is not read yet

	part    io.Reader // nil: the next is to come
	at, end int64     // of the part, in the blob
}

// begin starts a part, which must begin where the next range does: what a
// server sends besides would be paid for.
func (p *parts) begin(contentRange string, r io.Reader) error {
	place, total, ok := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
	first, last, _ := strings.Cut(place, "-")
	from, err1 := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	if !ok || err1 != nil || err2 != nil || from != p.want[0].From || to < from || to >= p.size || total != "*" && total != strconv.FormatInt(p.size, 10) {
		return errdef.Newf(errdef.ErrUnsupported, "the server sent the part %q for bytes %d-%d of %d", oneLine(contentRange), p.want[0].From, p.want[0].To-1, p.size)
	}
	p.part, p.at, p.end = r, from, to+1
	return nil
}

// Read is io.Reader. At the end of the answer it is io.EOF, whatever is missing.
func (p *parts) Read(b []byte) (int, error) {
	if len(p.want) == 0 {
		_, _ = io.CopyN(io.Discard, p.body, 1<<10) // the end of a multipart: the connection can be used again
		return 0, io.EOF
	}
	if p.part == nil {
		if p.multi == nil {
			return 0, io.EOF
		}
		next, err := p.multi.NextRawPart()
		if err != nil {
			return 0, err
		}
		if err := p.begin(next.Header.Get("Content-Range"), next); err != nil {
			return 0, err
		}
	}
	w := &p.want[0]
	if gap := w.From - p.at; gap > 0 {
		// The server made one part of two ranges.
		n, err := io.CopyN(io.Discard, p.part, gap)
		if p.at += n; err != nil {
			return 0, broken(err)
		}
	}
	n, err := p.part.Read(b[:min(int64(len(b)), w.To-w.From, p.end-p.at)])
	p.at += int64(n)
	if w.From += int64(n); w.From == w.To {
		p.want = p.want[1:]
	}
	if p.at == p.end || len(p.want) > 0 && p.want[0].From >= p.end {
		p.part, err = nil, nil
	}
	return n, broken(err)
}

// broken is what an end is that came too early.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Close ends the answer.
func (p *parts) Close() error { return p.body.Close() }
