package engine

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/store"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if store.MaybeInit() {
		return
	}
	os.Exit(m.Run())
}

// openEngine opens an engine on a new store, which goes with the test.
func openEngine(t *testing.T) *Engine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	t.Setenv("CONTAINERS_REGISTRIES_CONF", writeFile(t, dir, "registries.conf", nil))
	c, err := config.Load(config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Storage = config.Storage{GraphRoot: filepath.Join(dir, "graph"), RunRoot: filepath.Join(dir, "run"), Driver: "overlay"}
	c.Engine.VolumePath = filepath.Join(dir, "volumes")
	e, err := Open(Options{Config: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		// The driver mounts its directory on itself.
		_ = unix.Unmount(filepath.Join(dir, "graph", "overlay"), unix.MNT_DETACH)
	})
	return e
}

func writeFile(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// tarOf is an archive of one file.
func tarOf(t *testing.T, name string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(name))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(name)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
