package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
)

// A layer that is read keeps nobody from the store, and several can be read.
func TestOpenLayersSideBySide(t *testing.T) {
	s := open(t)
	tars := [][]byte{files(t, "a", "b"), files(t, "c")}
	var readers []io.ReadCloser
	for _, data := range tars {
		rc, err := s.OpenLayer(mustCommit(t, s, data, "").ID)
		if err != nil {
			t.Fatal(err)
		}
		defer rc.Close()
		readers = append(readers, rc)
	}
	mustCommit(t, s, files(t, "new"), "")
	for i, rc := range readers {
		if got, err := io.ReadAll(rc); err != nil || !bytes.Equal(got, tars[i]) {
			t.Errorf("layer %d: %d bytes of %d, %v", i, len(got), len(tars[i]), err)
		}
	}
}

// So does what a container changed, which is no tar yet.
func TestOpenContainersLayer(t *testing.T) {
	s := open(t)
	c, err := s.CreateContainer(NewContainer{})
	if err != nil {
		t.Fatal(err)
	}
	root, err := s.Mount(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "changed"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Unmount(c.ID, false); err != nil {
		t.Fatal(err)
	}
	rc, err := s.OpenLayer(c.LayerID)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	mustCommit(t, s, files(t, "new"), "")
	if got, err := io.ReadAll(rc); err != nil || !bytes.Contains(got, []byte("changed")) {
		t.Errorf("%d bytes without the file, %v", len(got), err)
	}
}

func TestOpenLayerSeesDamage(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(path string) error
		class  error
	}{
		{"other content", func(p string) error { return os.WriteFile(p, []byte("other than before, and longer than that"), 0o644) }, errdef.ErrInvalid},
		{"cut short", func(p string) error { return os.Truncate(p, 1) }, errdef.ErrInvalid},
		{"gone", os.Remove, errdef.ErrNotFound},
		{"a symlink", func(p string) error {
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.Symlink("/etc/passwd", p)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			l := mustCommit(t, s, files(t, "file"), "")
			if err := c.damage(filepath.Join(s.GraphRoot(), "overlay", l.ID, "diff", "file")); err != nil {
				t.Fatal(err)
			}
			rc, err := s.OpenLayer(l.ID)
			if err != nil {
				t.Fatal(err)
			}
			defer rc.Close()
			if _, err = io.Copy(io.Discard, rc); err == nil || c.class != nil && !errors.Is(err, c.class) {
				t.Errorf("error %v, want one of the class %v", err, c.class)
			}
		})
	}
}
