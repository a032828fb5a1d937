package imgcopy

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"
)

// text is content with something to find for a compressor.
func text(n int) []byte {
	data := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n)})
	for i := 0; i < n; i += 4096 {
		r.Read(data[i:min(i+1000, n)])
	}
	return data
}

func mustGzipper(t *testing.T) *gzipper {
	t.Helper()
	z, err := newGzipper(defaultGzipLevel)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestGzipGivesBackEverySize(t *testing.T) {
	z := mustGzipper(t)
	var all sync.WaitGroup
	for _, n := range []int{0, 1, gzipWindow, gzipBlock - 1, gzipBlock, gzipBlock + 1, 7*gzipBlock + 12345} {
		all.Go(func() {
			r := z.compress(io.NopCloser(bytes.NewReader(text(n))))
			defer r.Close()
			out, err := io.ReadAll(r)
			if err != nil {
				t.Errorf("%d bytes: %v", n, err)
				return
			}
			in, err := stdgzip.NewReader(bytes.NewReader(out))
			if err != nil {
				t.Errorf("%d bytes: %v", n, err)
				return
			}
			if back, err := io.ReadAll(in); err != nil || !bytes.Equal(back, text(n)) {
				t.Errorf("%d bytes come back as %d: %v", n, len(back), err)
			}
		})
	}
	all.Wait()
	if len(z.blocks) != cap(z.blocks) || len(z.workers) != cap(z.workers) {
		t.Errorf("%d of %d blocks and %d of %d workers are back", len(z.blocks), cap(z.blocks), len(z.workers), cap(z.workers))
	}
}

// A source that breaks must never look like one that ends.
func TestGzipPassesErrorsOn(t *testing.T) {
	for _, want := range []error{io.ErrUnexpectedEOF, errors.New("lost")} {
		z := mustGzipper(t)
		r := z.compress(io.NopCloser(io.MultiReader(bytes.NewReader(text(3*gzipBlock/2)), iotest.ErrReader(want))))
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if len(z.blocks) != cap(z.blocks) {
			t.Errorf("%d of %d blocks are back", len(z.blocks), cap(z.blocks))
		}
	}
}

func TestGzipMayBeLeft(t *testing.T) {
	z := mustGzipper(t)
	for range 3 {
		r := z.compress(io.NopCloser(bytes.NewReader(text(9 * gzipBlock))))
		if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	if len(z.blocks) != cap(z.blocks) || len(z.workers) != cap(z.workers) {
		t.Errorf("%d of %d blocks and %d of %d workers are back", len(z.blocks), cap(z.blocks), len(z.workers), cap(z.workers))
	}
}
