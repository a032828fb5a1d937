package transport

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/podsuite/podsuite/shared/config"
)

// What is opened together reads registries.d together, even if it changes.
func TestPlacesAreReadOnce(t *testing.T) {
	dir := t.TempDir()
	cfg, err := config.Load(config.Options{Prefix: dir})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Config: cfg, RegistriesDir: dir, Places: &SharedPlaces{}}
	first, err := placesOf(o).load()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := placesOf(o).load(); err != nil || again != first {
		t.Errorf("read again: %v", err)
	}
	o.Places = nil
	if _, err := placesOf(o).load(); err == nil {
		t.Error("a bad file is no error where nothing is shared")
	}
}
