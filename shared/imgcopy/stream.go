package imgcopy

import (
	"bufio"
	"context"
	"hash"
	"io"
	"maps"
	"runtime"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/store/unpack"
)

// counted reports what is read to a progress bar, and ends with its context:
// files know of none.
type counted struct {
	ctx context.Context //nolint:containedctx // the reader stands for one copy
	r   io.Reader
	bar cliout.Bar
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.bar.Add(int64(n))
	return n, err
}

// verifier gives an error instead of the end if the content does not have the
// digest and size.
type verifier struct {
	io.ReadCloser
	want digest.Digest
	h    hash.Hash
	left int64
}

func newVerifier(r io.ReadCloser, want digest.Digest, size int64) *verifier {
	return &verifier{ReadCloser: r, want: want, h: want.Algorithm().Hash(), left: size}
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.h.Write(p[:n])
	v.left -= int64(n)
	if v.left < 0 {
		return n, errdef.Newf(errdef.ErrInvalid, "blob %s is larger than its descriptor says", v.want)
	}
	if err == io.EOF {
		if v.left > 0 {
			return n, errdef.Newf(errdef.ErrInvalid, "blob %s is smaller than its descriptor says", v.want)
		}
		if got := digest.NewDigest(v.want.Algorithm(), v.h); got != v.want {
			return n, errdef.Newf(errdef.ErrInvalid, "blob %s has the digest %s", v.want, got)
		}
	}
	return n, err
}

// summer hashes and counts what is read.
type summer struct {
	r io.Reader
	h hash.Hash
	n int64
}

func newSummer(r io.Reader) *summer { return &summer{r: r, h: digest.SHA256.Hash()} }

func (s *summer) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.h.Write(p[:n])
	s.n += int64(n)
	return n, err
}

func (s *summer) sum() (digest.Digest, int64) { return digest.NewDigest(digest.SHA256, s.h), s.n }

// defaultGzipLevel trades a few percent of size for several times the speed of
// the usual level 6.
const defaultGzipLevel = 3

// CheckCompression tells whether layers can be compressed to the format.
func CheckCompression(format string, level int) error {
	switch format {
	case "", "gzip":
		if level < 0 || level > 9 {
			return errdef.Newf(errdef.ErrInvalid, "invalid gzip compression level %d: want 1 to 9", level)
		}
	case "zstd", zstdChunked:
		if level < 0 || level > 22 {
			return errdef.Newf(errdef.ErrInvalid, "invalid zstd compression level %d: want 1 to 22", level)
		}
	case "bzip2", "xz":
		return errdef.Newf(errdef.ErrUnsupported, "compression format %q is not supported for writing (supported: gzip, zstd, zstd:chunked)", format)
	default:
		return errdef.Newf(errdef.ErrInvalid, "cannot find compressor for %q", format)
	}
	return nil
}

// compressors make the compressed forms of a copy's layers.
type compressors struct {
	format string
	level  int // 0: the default
	once   sync.Once
	gzip   *gzipper
	zstd   chan struct{} // a place for each layer that is compressed at once
	err    error
}

func (c *compressors) open() {
	if isZstd(c.format) {
		c.zstd = make(chan struct{}, min(runtime.GOMAXPROCS(0), maxZstd))
		return
	}
	level := c.level
	if level == 0 {
		level = defaultGzipLevel
	}
	c.gzip, c.err = newGzipper(level)
}

// compress gives r's content compressed. r is closed with it, and the
// goroutines that do the work end with Close at the latest.
func (c *compressors) compress(r io.ReadCloser) (io.ReadCloser, error) {
	c.once.Do(c.open)
	switch {
	case c.err != nil:
		r.Close()
		return nil, c.err
	case c.gzip != nil:
		return c.gzip.compress(r), nil
	}
	pr, pw := io.Pipe()
	p := &piped{PipeReader: pr, r: r, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		c.zstd <- struct{}{}
		defer func() { <-c.zstd }()
		if c.format == zstdChunked {
			pw.CloseWithError(c.chunkedTo(pw, p))
			return
		}
		pw.CloseWithError(c.zstdTo(pw, r))
	}()
	return p, nil
}

// zstdChunked is zstd with a table of contents, by which single files can be
// fetched.
const zstdChunked = "zstd:chunked"

func isZstd(format string) bool { return format == "zstd" || format == zstdChunked }

// maxZstd bounds the layers that are compressed at once: each takes some 20 MB.
const maxZstd = 2

func (c *compressors) zstdTo(w io.Writer, r io.Reader) error {
	level := zstd.SpeedDefault
	if c.level > 0 {
		level = zstd.EncoderLevelFromZstd(c.level)
	}
	out := bufio.NewWriterSize(w, 256<<10)
	z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(onlyWriter{z}, onlyReader{r}, make([]byte, 128<<10))
	if cerr := z.Close(); err == nil {
		err = cerr
	}
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	return err
}

// defaultChunkedLevel is zstd's own default.
const defaultChunkedLevel = 3

func (c *compressors) chunkedTo(w io.Writer, p *piped) error {
	level := c.level
	if level == 0 {
		level = defaultChunkedLevel
	}
	out := bufio.NewWriterSize(w, 256<<10)
	z, notes, err := store.CompressChunked(out, level)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(onlyWriter{z}, onlyReader{p.r}, make([]byte, 128<<10))
	if cerr := z.Close(); err == nil {
		err = cerr
	}
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	p.notes = notes
	return err
}

// annotated gives the annotations of a layer after another compression, with
// the notes that belong to that: what they said of the old one goes.
func annotated(old, notes map[string]string) map[string]string {
	out := maps.Clone(old)
	maps.DeleteFunc(out, func(k, _ string) bool { return strings.HasPrefix(k, store.ChunkedPrefix) })
	if len(out) == 0 {
		return maps.Clone(notes)
	}
	maps.Copy(out, notes)
	return out
}

// chunkedNotes picks what annotations say of the layer's compression.
func chunkedNotes(annotations map[string]string) map[string]string {
	notes := map[string]string{}
	for k, v := range annotations {
		if strings.HasPrefix(k, store.ChunkedPrefix) {
			notes[k] = v
		}
	}
	if len(notes) == 0 {
		return nil
	}
	return notes
}

// notesOf gives the annotations that follow from a compression that was read
// to its end.
func notesOf(r io.Reader) map[string]string {
	if p, ok := r.(*piped); ok {
		return p.notes
	}
	return nil
}

// piped is the reading end of a goroutine's work on r.
type piped struct {
	*io.PipeReader
	r     io.ReadCloser
	done  chan struct{}
	notes map[string]string // annotations that follow from the work; valid at its end
}

func (p *piped) Close() error {
	p.PipeReader.Close()
	<-p.done
	return p.r.Close()
}

// decompress gives the content of a layer as a plain tar. r is closed with it.
func decompress(r io.ReadCloser) (io.ReadCloser, error) {
	z, compressed, err := unpack.Decompress(r)
	switch {
	case err != nil:
		r.Close()
		return nil, err
	case compressed:
		z = &toEnd{z, r}
	}
	return both{z, r}, nil
}

// toEnd reads what is left of the input when the content has ended, so that
// a verifier below sees the input's end.
type toEnd struct {
	r  io.Reader
	in io.Reader
}

func (t *toEnd) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err == io.EOF {
		if _, derr := io.Copy(io.Discard, t.in); derr != nil {
			return n, derr
		}
	}
	return n, unpack.Classify(err)
}

type both struct {
	io.Reader
	io.Closer
}

// onlyReader and onlyWriter keep io.Copy from using other methods than these.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }
