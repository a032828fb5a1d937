package trust

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/signature"
)

// Lookaside is a directory, or a place of an HTTP server, beside a registry
// that has the signatures of one repository's images.
type Lookaside struct {
	base *url.URL
	name ref.Name
}

// Read gets the signatures of a manifest.
func (l *Lookaside) Read(ctx context.Context, d digest.Digest) ([]signature.Signature, error) {
	var out []signature.Signature
	for n := 1; ; n++ {
		where := l.url(d, n)
		blob, err := l.read(ctx, where)
		if err != nil {
			return nil, fmt.Errorf("read signature %s: %w", where.Redacted(), err)
		}
		if blob == nil {
			return out, nil
		}
		if n > signature.MaxCount {
			return nil, errdef.Newf(errdef.ErrInvalid, "read signatures at %s: there are more than %d", l.base.Redacted(), signature.MaxCount)
		}
		s, err := signature.Parse(blob)
		if err != nil {
			return nil, fmt.Errorf("read signature %s: %w", where.Redacted(), err)
		}
		out = append(out, s)
	}
}

func (l *Lookaside) url(d digest.Digest, n int) *url.URL {
	u := *l.base
	u.Path += "/" + signaturePath(l.name, d, n)
	if u.Scheme == "file" {
		u.Path = filepath.Clean(u.Path)
	}
	return &u
}

// read gets one file, nil if it is not there.
func (l *Lookaside) read(ctx context.Context, u *url.URL) ([]byte, error) {
	switch u.Scheme {
	case "file":
		data, err := readFile(u.Path, signature.MaxSize)
		if os.IsNotExist(err) {
			return nil, nil
		}
		return data, err
	case "http", "https":
		return fetch(ctx, u)
	}
	return nil, errdef.Newf(errdef.ErrUnsupported, "unsupported scheme %q: choose file, http or https", u.Scheme)
}

// lookasideTimeout bounds one request.
const lookasideTimeout = time.Minute

func fetch(ctx context.Context, u *url.URL) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, lookasideTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, errdef.As(errdef.ErrUnavailable, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, nil
	default:
		return nil, errdef.Newf(errdef.ErrUnavailable, "the server answered %s", resp.Status)
	}
	if t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && t == "text/html" {
		return nil, errdef.Newf(errdef.ErrInvalid, "the server answered with a page and not with a signature")
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, signature.MaxSize+1))
	if err == nil && len(data) > signature.MaxSize {
		err = errdef.Newf(errdef.ErrInvalid, "the signature is larger than %d bytes", signature.MaxSize)
	}
	return data, err
}

// Writable tells whether signatures can be written.
func (l *Lookaside) Writable() error {
	if l.base.Scheme != "file" {
		return errdef.Newf(errdef.ErrUnsupported, "writing signatures to %s is not supported: give a file: URL as lookaside-staging", l.base.Redacted())
	}
	return nil
}

// Write makes these the signatures of a manifest.
func (l *Lookaside) Write(d digest.Digest, sigs []signature.Signature) error {
	if err := l.Writable(); err != nil {
		return err
	}
	for i, s := range sigs {
		if err := l.write(d, i+1, s); err != nil {
			return err
		}
	}
	for n := len(sigs) + 1; ; n++ {
		err := os.Remove(l.url(d, n).Path)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("remove former signature: %w", err)
		}
	}
}

// Add writes one more signature of a manifest.
func (l *Lookaside) Add(d digest.Digest, s signature.Signature) error {
	if err := l.Writable(); err != nil {
		return err
	}
	n := 1
	for ; n <= signature.MaxCount; n++ {
		if _, err := os.Lstat(l.url(d, n).Path); os.IsNotExist(err) {
			return l.write(d, n, s)
		} else if err != nil {
			return fmt.Errorf("write signature: %w", err)
		}
	}
	return errdef.Newf(errdef.ErrConflict, "write signature: the image has %d already", signature.MaxCount)
}

func (l *Lookaside) write(d digest.Digest, n int, s signature.Signature) error {
	blob, err := s.Bytes()
	if err != nil {
		return err
	}
	path := l.url(d, n).Path
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write signature: %w", err)
	}
	return atomicfile.Write(path, blob, 0o644)
}

// DirLookaside is a lookaside in a local directory.
func DirLookaside(dir string, n ref.Name) *Lookaside {
	return &Lookaside{base: &url.URL{Scheme: "file", Path: dir}, name: n}
}
