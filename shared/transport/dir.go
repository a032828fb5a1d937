package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

// dirVersion marks a directory as an image of the dir transport.
const dirVersion = "Directory Transport Version: 1.1\n"

// dirImage is a directory with manifest.json, a file per blob named by the
// hexadecimal part of its digest, and HEX.manifest.json per instance.
type dirImage struct{ path string }

func openDir(l Ref) (Source, error) {
	s := &dirImage{path: l.Path}
	if _, err := os.Stat(filepath.Join(l.Path, "manifest.json")); err != nil {
		return nil, &fs.PathError{Op: "open", Path: filepath.Join(l.Path, "manifest.json"), Err: errors.Unwrap(err)}
	}
	return s, nil
}

func (s *dirImage) manifestPath(d digest.Digest) string {
	if d == "" {
		return filepath.Join(s.path, "manifest.json")
	}
	return filepath.Join(s.path, d.Encoded()+".manifest.json")
}

func (s *dirImage) Manifest(_ context.Context, d digest.Digest) (Manifest, error) {
	data, err := readManifestFile(s.manifestPath(d))
	if os.IsNotExist(err) && d != "" {
		// A single image lies under its own name only.
		data, err = readManifestFile(s.manifestPath(""))
	}
	if err != nil {
		return Manifest{}, err
	}
	return withDigest(data, "", d)
}

func (s *dirImage) blobPath(d digest.Digest) string { return filepath.Join(s.path, d.Encoded()) }

func (s *dirImage) Blob(_ context.Context, d digest.Digest) (io.ReadCloser, int64, error) {
	return openFile(s.blobPath(d))
}

func (s *dirImage) Close() error { return nil }

// dirDestination writes into the directory; its manifest comes last.
type dirDestination struct {
	dirImage
	made  bool // the directory is new
	final []byte
	done  bool
}

// createDir makes the directory, or empties one that holds such an image.
// What else is there is never touched.
func createDir(l Ref) (Destination, error) {
	d := &dirDestination{dirImage: dirImage{l.Path}}
	entries, err := os.ReadDir(l.Path)
	switch {
	case os.IsNotExist(err):
		if err := os.MkdirAll(l.Path, 0o755); err != nil {
			return nil, fmt.Errorf("unable to create directory %q: %w", l.Path, err)
		}
		d.made = true
	case err != nil:
		return nil, err
	case len(entries) > 0:
		version, err := os.ReadFile(filepath.Join(l.Path, "version"))
		if err != nil || !strings.HasPrefix(string(version), "Directory Transport Version: ") {
			return nil, errdef.Newf(errdef.ErrConflict, "not a containers image directory, don't want to overwrite important data")
		}
		for _, e := range entries {
			if err := os.RemoveAll(filepath.Join(l.Path, e.Name())); err != nil {
				return nil, fmt.Errorf("empty directory %q: %w", l.Path, err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(l.Path, "version"), []byte(dirVersion), 0o644); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *dirDestination) Reuse(_ context.Context, dg digest.Digest, _ int64) (bool, error) {
	_, err := os.Stat(d.blobPath(dg))
	return err == nil, nil
}

func (d *dirDestination) Put(_ context.Context, c Content) error {
	return writeBlob(d.path, c, d.blobPath)
}

func (d *dirDestination) PutManifest(_ context.Context, m Manifest, instance bool) error {
	if instance {
		return os.WriteFile(d.manifestPath(m.Digest), m.Bytes, 0o644)
	}
	d.final = m.Bytes
	return nil
}

func (d *dirDestination) Commit(context.Context) error {
	if err := replaceFile(d.manifestPath(""), d.final); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	d.done = true
	return nil
}

// Close removes what an unfinished copy wrote.
func (d *dirDestination) Close() error {
	if d.done {
		return nil
	}
	if d.made {
		return os.RemoveAll(d.path)
	}
	entries, err := os.ReadDir(d.path)
	for _, e := range entries {
		if rerr := os.RemoveAll(filepath.Join(d.path, e.Name())); err == nil {
			err = rerr
		}
	}
	return err
}
