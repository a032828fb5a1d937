package build

import (
	"archive/tar"
	"io"
	"time"
)

// retime copies a tar stream with every time in it replaced. stop must be
// called when the reader isn't needed any more.
func retime(in io.Reader, t time.Time) (out io.Reader, stop func()) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(copyTar(w, in, t)) }()
	return r, func() { r.Close() }
}

func copyTar(out io.Writer, in io.Reader, t time.Time) error {
	r, w := tar.NewReader(in), tar.NewWriter(out)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return w.Close()
		}
		if err != nil {
			return err
		}
		h.ModTime, h.AccessTime, h.ChangeTime = t, time.Time{}, time.Time{}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
	}
}
