package store

import (
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

const (
	// partialDir is where the beginnings of blobs are, below the images' root.
	partialDir = "partial-blobs"
	// partialAge is the age at which one is taken for given up.
	partialAge = 24 * time.Hour
	// maxPartials is what all of them may have together, in bytes.
	maxPartials = 8 << 30
	// minPartial is the size of a blob that is worth it, in bytes.
	minPartial = 1 << 20
	// partialRoom is how many times the blob's size must be free on the disk:
	// the layer itself needs room, too.
	partialRoom = 5
)

// Partial is the beginning of a blob that is on its way into the store, kept
// for the case that the rest doesn't come: a later copy starts where it ends.
// Its content is not to be trusted: it may be another's, or damaged.
type Partial struct {
	path   string
	forget func() // ends the blob's share of the bytes that all may have

	mu   sync.Mutex
	f    *os.File // locked; nil once closed
	size int64
}

// Partial gives what is there of the blob, to be extended. It is nil if the
// blob isn't worth it, the disk is too full, or another process has it.
func (s *Store) Partial(d digest.Digest, size int64) *Partial {
	if d.Validate() != nil || size < minPartial {
		return nil
	}
	s.prune.Do(s.pruneStaging)
	dir := filepath.Join(s.imageRoot(), partialDir)
	var fs unix.Statfs_t
	if os.MkdirAll(dir, 0o700) != nil || unix.Statfs(dir, &fs) != nil || int64(fs.Bavail)*fs.Bsize/partialRoom < size {
		return nil
	}
	forget := func() { s.partials.Add(-size) }
	if s.partials.Add(size) > maxPartials {
		forget()
		return nil
	}
	p := &Partial{path: filepath.Join(dir, d.Algorithm().String()+"-"+d.Encoded()), forget: forget}
	if !p.open() {
		forget()
		return nil
	}
	if p.size > size {
		p.Truncate()
	}
	return p
}

// open opens and locks the file, unless another process has it or has just
// removed it.
func (p *Partial) open() bool {
	f, err := os.OpenFile(p.path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return false
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		there, err := os.Lstat(p.path)
		fi, ferr := f.Stat() // the last one may have added to it until now
		if err == nil && ferr == nil && os.SameFile(there, fi) {
			p.f, p.size = f, fi.Size()
			return true
		}
	}
	f.Close()
	return false
}

// Size is the number of bytes that are there.
func (p *Partial) Size() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}

// ReadAt reads what is there.
func (p *Partial) ReadAt(b []byte, at int64) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.f == nil {
		return 0, os.ErrClosed
	}
	n, err := p.f.ReadAt(b[:min(int64(len(b)), max(p.size-at, 0))], at)
	if n == 0 && err == nil && len(b) > 0 {
		err = io.EOF
	}
	return n, err
}

// Append adds what comes next. If that can't be, nothing is kept any more.
func (p *Partial) Append(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.f == nil {
		return
	}
	if _, err := p.f.WriteAt(b, p.size); err != nil {
		p.remove()
		return
	}
	p.size += int64(len(b))
}

// Truncate starts anew.
func (p *Partial) Truncate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.f != nil && p.f.Truncate(0) != nil {
		p.remove()
	}
	p.size = 0
}

// Close leaves what is there to the next one.
func (p *Partial) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.close()
}

func (p *Partial) close() {
	if p.f != nil {
		p.f.Close()
		p.f = nil
		p.forget()
	}
}

// Remove forgets what is there.
func (p *Partial) Remove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove()
}

func (p *Partial) remove() {
	_ = os.Remove(p.path)
	p.close()
	p.size = 0
}

// prunePartials removes those that nobody came back for. Nothing depends on
// its success.
func (s *Store) prunePartials() {
	dir := filepath.Join(s.imageRoot(), partialDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	total := int64(0)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		fi, err := e.Info()
		if err != nil {
			continue
		}
		if total += fi.Size(); total <= maxPartials && time.Since(fi.ModTime()) < partialAge {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.Remove(path)
			total -= fi.Size()
		}
		f.Close()
	}
}
