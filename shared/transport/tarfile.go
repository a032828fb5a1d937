package transport

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store/unpack"
)

// maxMembers bounds the members of an archive.
const maxMembers = 1 << 20

// tarFile gives the members of a tar file without unpacking it.
type tarFile struct {
	f       *os.File
	members map[string]member
}

type member struct{ at, size int64 }

// openTar lists the members. A compressed archive, or one that is a stream, is
// first written to a nameless file in tmp.
func openTar(name, tmp string) (*tarFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening file %q: %w", name, err)
	}
	if f, err = plainFile(f, tmp); err != nil {
		return nil, fmt.Errorf("opening file %q: %w", name, err)
	}
	return listTar(f)
}

// listTar takes over a file that can be read at any place.
func listTar(f *os.File) (*tarFile, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, firstError(err, f.Close())
	}
	t := &tarFile{f: f, members: map[string]member{}}
	if err := t.list(); err != nil {
		t.f.Close()
		return nil, err
	}
	return t, nil
}

// plainFile gives f itself if it can be read at any place as it is.
func plainFile(f *os.File, tmp string) (*os.File, error) {
	_, err := f.ReadAt(make([]byte, 1), 0)
	seekable := err == nil || errors.Is(err, io.EOF)
	in, compressed, err := unpack.Decompress(f)
	if err != nil {
		return nil, firstError(err, f.Close())
	}
	if seekable && !compressed {
		return f, nil
	}
	defer f.Close()
	out, err := nameless(tmp)
	if err != nil {
		return nil, err
	}
	if err := fill(out, in); err != nil {
		return nil, firstError(unpack.Classify(err), out.Close())
	}
	return out, nil
}

func nameless(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "podsuite-image-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

func (t *tarFile) list() error {
	links := map[string]string{}
	r := tar.NewReader(t.f)
	for len(t.members) < maxMembers {
		h, err := r.Next()
		if err == io.EOF {
			for name, target := range links {
				if m, ok := t.members[target]; ok {
					t.members[name] = m
				}
			}
			return nil
		}
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "reading archive: %w", err)
		}
		name := path.Clean("/" + h.Name)[1:]
		switch h.Typeflag {
		case tar.TypeReg:
			at, err := t.f.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			t.members[name] = member{at, h.Size}
		case tar.TypeSymlink:
			links[name] = path.Join("/", path.Dir(name), h.Linkname)[1:]
		case tar.TypeLink:
			links[name] = path.Clean("/" + h.Linkname)[1:]
		}
	}
	return errdef.Newf(errdef.ErrInvalid, "reading archive: more than %d members", maxMembers)
}

func (t *tarFile) open(name string) (io.ReadCloser, int64, error) {
	m, ok := t.members[name]
	if !ok {
		return nil, 0, errdef.Newf(errdef.ErrInvalid, "reading archive: it has no %q", name)
	}
	return io.NopCloser(io.NewSectionReader(t.f, m.at, m.size)), m.size, nil
}

func (t *tarFile) read(name string) ([]byte, error) {
	r, _, err := t.open(name)
	if err != nil {
		return nil, err
	}
	return readSmall(r, name)
}

func (t *tarFile) close() error { return t.f.Close() }

// tarWriter makes an archive beside its place and moves it there at the end. A
// place that is not a regular file, such as a pipe, gets it as it comes.
type tarWriter struct {
	path   string
	out    *os.File
	stream bool   // out is the place itself
	tmp    string // directory for what can't be written yet
	// deliver, if it is given, takes the complete archive in place of the path.
	deliver func(ctx context.Context, archive *os.File) error

	mu   sync.Mutex
	tw   *tar.Writer
	have map[string]bool
}

// createTar begins an archive. To a stream, content of unknown size goes by tmp.
func createTar(path, tmp string) (*tarWriter, error) {
	w := &tarWriter{path: path, tmp: filepath.Dir(path), have: map[string]bool{}}
	var err error
	if fi, serr := os.Stat(path); serr == nil && !fi.Mode().IsRegular() && !fi.IsDir() {
		w.stream, w.tmp = true, tmp
		w.out, err = os.OpenFile(path, os.O_WRONLY, 0)
	} else {
		w.out, err = os.CreateTemp(w.tmp, ".archive-*")
	}
	if err != nil {
		// The name of the file beside it is of no use to anybody.
		if perr := new(os.PathError); errors.As(err, &perr) {
			err = perr.Err
		}
		return nil, fmt.Errorf("create archive %q: %w", path, err)
	}
	if w.stream {
		w.tw = tar.NewWriter(w.out)
	} else {
		w.tw = tar.NewWriter(unpack.NewHoles(w.out)) // its end is too short for a hole
	}
	return w, nil
}

// add writes a member at its turn. Content of unknown size is kept in a nameless file
// until its size is known.
func (w *tarWriter) add(ctx context.Context, c Content, name func(digest.Digest) string) error {
	if c.Size >= 0 && c.Digest != "" {
		if err := c.Turn(ctx); err != nil {
			return err
		}
		return w.member(name(c.Digest), c.Size, c.Reader)
	}
	f, err := nameless(w.tmp)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := fill(f, c.Reader); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum, size := c.Sum()
	if err := c.Turn(ctx); err != nil {
		return err
	}
	return w.member(name(sum), size, f)
}

func (w *tarWriter) member(name string, size int64, r io.Reader) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.have[name] {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	h := &tar.Header{Name: name, Mode: 0o444, Size: size, Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if err := w.tw.WriteHeader(h); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	if _, err := io.Copy(w.tw, r); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	w.have[name] = true
	return nil
}

// finish moves the archive to its place.
func (w *tarWriter) finish(ctx context.Context) error {
	if err := w.tw.Close(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	switch {
	case w.deliver != nil:
		if _, err := w.out.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return w.deliver(ctx, w.out)
	case w.stream:
		return nil
	}
	if err := w.out.Chmod(0o644); err != nil {
		return err
	}
	return os.Rename(w.out.Name(), w.path)
}

// discard removes what is not in its place.
func (w *tarWriter) discard() error {
	var err error
	if !w.stream {
		if err = os.Remove(w.out.Name()); os.IsNotExist(err) {
			err = nil
		}
	}
	return firstError(w.out.Close(), err)
}
