package unpack

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

const (
	chunkSize = 512 << 10
	// chunks is how many chunks each stage may be ahead of the next.
	chunks = 4
)

// Stream reads a layer, plain or compressed, as an uncompressed tar, and hashes
// it on both sides. Reading from the source, decompressing, and what the reader
// does with the tar go on side by side.
type Stream struct {
	cancel context.CancelFunc
	raw    *ahead    // as it comes
	in     io.Reader // the uncompressed tar, before it is hashed
	plain  bool
	size   int64
	hash   hash.Hash
}

// NewStream starts to read r. After Close, or when ctx is done, a Read of r
// that is under way may still end, but no other one begins.
func NewStream(ctx context.Context, r io.Reader) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{cancel: cancel, hash: sha256.New()}
	s.raw = newAhead(ctx, r, sha256.New())
	if err := s.open(ctx); err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

// open puts the right decompressor in the way.
func (s *Stream) open(ctx context.Context) error {
	z, compressed, err := Decompress(s.raw)
	if err != nil {
		return err
	}
	s.plain, s.in = !compressed, z
	if compressed {
		s.in = newAhead(ctx, z, nil)
	}
	return nil
}

// Read reads the uncompressed tar.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	s.size += int64(n)
	if !s.plain {
		s.hash.Write(p[:n])
	}
	return n, Classify(err)
}

// Classify puts a decompressor's complaint about its input in the class
// errdef.ErrInvalid, and leaves other errors, such as the source's, alone.
func Classify(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.As(err, &corrupt) ||
		errors.Is(err, zstd.ErrCRCMismatch) || errors.Is(err, zstd.ErrMagicMismatch) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return errdef.Newf(errdef.ErrInvalid, "decompress: %w", err)
	}
	return err
}

// Sums describes a stream that was read to its end.
type Sums struct {
	Digest, DiffID         digest.Digest // as it came, and uncompressed
	Size, UncompressedSize int64         // bytes
}

// Finish reads what is left of the stream and returns its digests and sizes.
func (s *Stream) Finish() (Sums, error) {
	buf := make([]byte, 32<<10)
	for _, r := range []io.Reader{s, s.raw} {
		if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, buf); err != nil {
			return Sums{}, err
		}
	}
	sums := Sums{Size: s.raw.size, UncompressedSize: s.size}
	sums.Digest = digest.NewDigest(digest.SHA256, s.raw.hash)
	sums.DiffID = sums.Digest
	if !s.plain {
		sums.DiffID = digest.NewDigest(digest.SHA256, s.hash)
	}
	return sums, nil
}

// Sum reads a layer, plain or compressed, for its digests and sizes alone.
func Sum(ctx context.Context, r io.Reader) (Sums, error) {
	s, err := NewStream(ctx, r)
	if err != nil {
		return Sums{}, err
	}
	defer s.Close()
	return s.Finish()
}

// Close stops the reading. It doesn't close the source.
func (s *Stream) Close() { s.cancel() }

// ahead reads from a source in its own goroutine, some chunks ahead of its
// reader, and hashes what passes if it has a hash.
type ahead struct {
	ctx   context.Context
	full  chan []byte
	empty chan []byte
	err   error // valid once full is closed
	cur   []byte
	buf   []byte // the chunk that cur is the rest of

	// Valid once the reader has seen the end.
	hash hash.Hash
	size int64
}

func newAhead(ctx context.Context, r io.Reader, h hash.Hash) *ahead {
	a := &ahead{ctx: ctx, hash: h, full: make(chan []byte, chunks), empty: make(chan []byte, chunks+1)}
	for range chunks + 1 {
		a.empty <- nil
	}
	go a.run(r)
	return a
}

func (a *ahead) run(r io.Reader) {
	defer close(a.full)
	defer func() {
		if p := recover(); p != nil {
			a.err = fmt.Errorf("decompress: %v", p)
		}
	}()
	for a.err == nil {
		var buf []byte
		select {
		case buf = <-a.empty:
		case <-a.ctx.Done():
			a.err = a.ctx.Err()
			return
		}
		if buf == nil {
			buf = make([]byte, chunkSize)
		}
		n := 0
		for n < len(buf) && a.err == nil {
			var m int
			m, a.err = r.Read(buf[n:])
			n += m
		}
		if a.hash != nil {
			a.hash.Write(buf[:n])
		}
		a.size += int64(n)
		select {
		case a.full <- buf[:n]:
		case <-a.ctx.Done():
			a.err = a.ctx.Err()
			return
		}
	}
}

func (a *ahead) Read(p []byte) (int, error) {
	for len(a.cur) == 0 {
		if a.buf != nil {
			a.empty <- a.buf[:cap(a.buf)]
			a.buf = nil
		}
		select {
		case chunk, ok := <-a.full:
			if !ok {
				return 0, a.err
			}
			a.buf, a.cur = chunk, chunk
		case <-a.ctx.Done():
			return 0, a.ctx.Err()
		}
	}
	n := copy(p, a.cur)
	a.cur = a.cur[n:]
	return n, nil
}
