package imgcopy

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"syscall"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/transport"
)

// kept is the beginning of a blob that an earlier copy left, and what this one
// adds to it. nil is none.
type kept struct {
	*store.Partial
	before int64       // bytes that were there
	broken atomic.Bool // the source ended early: what came before is as good as ever
}

// keep finds what the destination has of the blob.
func (c *copier) keep(d digest.Digest, size int64) *kept {
	to, ok := c.dst.(transport.Keeper)
	if _, can := c.src.(transport.Resumer); !ok || !can {
		return nil
	}
	p := to.Keep(d, size)
	if p == nil {
		return nil
	}
	return &kept{Partial: p, before: p.Size()}
}

// openKept opens the blob: what is kept of it, and then the rest of it from
// where open has it.
func openKept(size int64, k *kept, open func(from int64) (io.ReadCloser, int64, error)) (io.ReadCloser, int64, error) {
	if k == nil {
		return open(0)
	}
	if k.before == size {
		return io.NopCloser(io.NewSectionReader(k, 0, size)), size, nil
	}
	r, got, err := open(k.before)
	if k.before > 0 && errors.Is(err, errdef.ErrUnsupported) {
		k.Truncate()
		k.before = 0
		r, got, err = open(0)
	}
	if err != nil {
		k.Close()
		return nil, 0, err
	}
	return &keeping{k: k, rest: r}, got, nil
}

// openFrom opens a blob of the source without its first bytes.
func (c *copier) openFrom(ctx context.Context, d digest.Digest) func(from int64) (io.ReadCloser, int64, error) {
	return func(from int64) (io.ReadCloser, int64, error) {
		if from == 0 {
			return c.src.Blob(ctx, d)
		}
		return c.src.(transport.Resumer).BlobFrom(ctx, d, from)
	}
}

// keeping reads a blob of which the beginning is kept, and keeps the rest.
type keeping struct {
	k    *kept
	at   int64
	rest io.ReadCloser
}

func (r *keeping) Read(p []byte) (int, error) {
	if r.at < r.k.before {
		n, err := r.k.ReadAt(p[:min(int64(len(p)), r.k.before-r.at)], r.at)
		r.at += int64(n)
		return n, err
	}
	n, err := r.rest.Read(p)
	r.k.Append(p[:n])
	if err != nil && err != io.EOF {
		r.k.broken.Store(true)
	}
	return n, err
}

func (r *keeping) Close() error { return r.rest.Close() }

// settle decides what becomes of what is kept when the copy of the blob has
// ended so. It tells whether it was there before and may have been wrong.
func (k *kept) settle(ctx context.Context, err error) (wrong bool) {
	switch {
	case k == nil:
		return false
	case err == nil || k.broken.Load() || ctx.Err() != nil:
		k.Close()
		return false
	case errors.Is(err, syscall.ENOSPC):
		k.Remove() // others need the room more
		return false
	}
	// Whatever the destination objects to is in what it was given.
	k.Remove()
	return k.before > 0
}

// drop forgets what is kept.
func (k *kept) drop() {
	if k != nil {
		k.Remove()
	}
}
