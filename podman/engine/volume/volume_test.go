package volume

import (
	"os"
	"path/filepath"
	"testing"
)

// A removal that was killed must not leave its data to the next volume of the
// name.
func TestKilledRemoval(t *testing.T) {
	d := Open(t.TempDir())
	v, err := d.Create(Volume{Name: "data"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(v.Mountpoint, "secret"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	gone, err := d.takeAway("data") // as far as the killed one came
	if err != nil {
		t.Fatal(err)
	}
	if list, err := d.List(); err != nil || len(list) != 0 {
		t.Errorf("listed: %v, %v", list, err)
	}
	if v, err = d.Create(Volume{Name: "data"}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(v.Mountpoint); err != nil || len(left) > 0 {
		t.Errorf("the new volume has %v, %v", left, err)
	}
	if _, err := os.Stat(gone); !os.IsNotExist(err) {
		t.Errorf("the old data is still there: %v", err)
	}
}

func TestKilledCreation(t *testing.T) {
	d := Open(t.TempDir())
	half := filepath.Join(d.Path(), coming+"1", "_data")
	if err := os.MkdirAll(half, 0o755); err != nil {
		t.Fatal(err)
	}
	if list, err := d.List(); err != nil || len(list) != 0 {
		t.Errorf("listed: %v, %v", list, err)
	}
	if _, err := d.Create(Volume{Name: "data"}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("half a volume is still there: %v", err)
	}
}
