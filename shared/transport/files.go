package transport

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store/unpack"
)

// ContentType guesses the media type of a file from its beginning, where the
// file is left.
func ContentType(f io.ReadSeeker) (string, error) {
	head := make([]byte, 512) // no more is looked at
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	_, err = f.Seek(0, io.SeekStart)
	return http.DetectContentType(head[:n]), err
}

// readManifestFile reads a small document.
func readManifestFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSmall(f, path)
}

func readSmall(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, registry.MaxManifestSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, err)
	}
	if len(data) > registry.MaxManifestSize {
		return nil, errdef.Newf(errdef.ErrInvalid, "read %q: larger than %d bytes", name, registry.MaxManifestSize)
	}
	return data, nil
}

// openFile opens a blob that is a regular file.
func openFile(path string) (io.ReadCloser, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = errdef.Newf(errdef.ErrInvalid, "%q is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, fi.Size(), nil
}

// writeBlob writes content beside its place and moves it there when its digest
// is known to be right.
func writeBlob(dir string, c Content, place func(digest.Digest) string) error {
	tmp, err := os.CreateTemp(dir, ".incoming-*")
	if err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	defer os.Remove(tmp.Name())
	err = fill(tmp, c.Reader)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	sum := c.Digest
	if sum == "" {
		sum, _ = c.Sum()
	}
	return os.Rename(tmp.Name(), place(sum))
}

// fill writes content to a new file, with holes where it has zeros.
func fill(f *os.File, r io.Reader) error {
	h := unpack.NewHoles(f)
	// The file isn't asked to read by itself: what is read may be hashed on its way.
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, 256<<10)); err != nil {
		return err
	}
	return h.Finish()
}

// replaceFile writes a small file anew.
func replaceFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
