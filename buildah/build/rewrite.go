package build

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
)

// piped reads what write writes. stop must be called when the reader isn't
// needed any more.
func piped(write func(io.Writer) error) (out io.Reader, stop func()) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }()
	return r, func() { r.Close() }
}

// rewriting changes a tar stream on its way into a layer.
type rewriting struct {
	to     *time.Time // every time becomes this one
	atMost *time.Time // later times become this one
	add    []string   // "source:destination" of files of the host that come last
}

func (t *rewriting) nothing() bool { return t.to == nil && t.atMost == nil && len(t.add) == 0 }

func (t *rewriting) copy(out io.Writer, in io.Reader) error {
	r, w := tar.NewReader(in), tar.NewWriter(out)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		t.retime(h)
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
	for _, text := range t.add {
		if err := t.file(w, text); err != nil {
			return fmt.Errorf("add file %q: %w", text, err)
		}
	}
	return w.Close()
}

func (t *rewriting) retime(h *tar.Header) {
	switch {
	case t.to != nil:
		h.ModTime = *t.to
	case t.atMost != nil && h.ModTime.After(*t.atMost):
		h.ModTime = *t.atMost
	case t.atMost == nil:
		return
	}
	h.AccessTime, h.ChangeTime = time.Time{}, time.Time{}
}

// file adds a file of the host, owned by root.
func (t *rewriting) file(w *tar.Writer, text string) error {
	source, destination, ok := strings.Cut(text, ":")
	if !ok || source == "" || destination == "" {
		return errdef.Newf(errdef.ErrInvalid, "must be source:destination")
	}
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errdef.Newf(errdef.ErrInvalid, "%q is not a regular file", source)
	}
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(path.Clean("/"+destination), "/"), Size: info.Size(),
		Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX,
	}
	t.retime(h)
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.CopyN(w, f, h.Size)
	return err
}
