package store

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if MaybeInit() {
		return
	}
	os.Exit(m.Run())
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// open opens a new store, which goes with the test.
func open(t *testing.T) *Store {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	s, err := Open(Options{GraphRoot: dir + "/graph", RunRoot: dir + "/run"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.lib.Shutdown(true); err != nil {
			t.Error(err)
		}
		_ = s.Close()
	})
	return s
}
