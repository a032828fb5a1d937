package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rebooted opens the store as after a reboot, which clears the run root.
func rebooted(t *testing.T, s *Store) *Store {
	t.Helper()
	o := s.opts
	o.RunRoot = t.TempDir()
	after, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return after
}

// empty leaves the file as a power cut does.
func empty(t *testing.T, path ...string) {
	t.Helper()
	if err := os.Truncate(filepath.Join(path...), 0); err != nil {
		t.Fatal(err)
	}
}

func TestPowerCutTakesLinks(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/a", files(t, "f"), files(t, "g"))
	c, err := s.CreateContainer(NewContainer{ImageID: img.ID})
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range []string{c.LayerID, img.TopLayer} {
		for _, name := range linkNames {
			empty(t, s.GraphRoot(), "overlay", layer, name)
		}
	}
	links, _ := os.ReadDir(filepath.Join(s.GraphRoot(), "overlay/l"))

	after := rebooted(t, s)
	root, err := after.Mount(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"f", "g"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
	if err := after.Unmount(c.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := after.RemoveContainer(c.ID); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(filepath.Join(s.GraphRoot(), "overlay/l"))
	if len(left) != len(links)-1 {
		t.Errorf("short names %v before, %v after the container is gone", links, left)
	}
}

// Images may lie on a root of their own, and the list of volatile layers, which
// is never synced, may be empty.
func TestPowerCutTakesLinksOnToAnotherRoot(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	s, err := Open(Options{GraphRoot: dir + "/graph", RunRoot: dir + "/run", ImageStore: dir + "/images"})
	if err != nil {
		t.Fatal(err)
	}
	img := image(t, s, "localhost/a", files(t, "f"), files(t, "g"))
	c, err := s.CreateContainer(NewContainer{ImageID: img.ID})
	if err != nil {
		t.Fatal(err)
	}
	empty(t, s.GraphRoot(), "overlay", c.LayerID, "lower")
	if err := os.WriteFile(filepath.Join(s.GraphRoot(), "overlay-layers/volatile-layers.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}

	after := rebooted(t, s)
	root, err := after.Mount(c.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := after.Unmount(c.ID, true); err != nil {
			t.Error(err)
		}
		if _, err := after.lib.Shutdown(true); err != nil {
			t.Error(err)
		}
	}()
	for _, name := range []string{"f", "g"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}
}

// What a container uses can't be removed: the user must know of it.
func TestPowerCutTakesAnImageInUse(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/used", files(t, "f"))
	unused := image(t, s, "localhost/unused", files(t, "f"), files(t, "g"))
	c, err := s.CreateContainer(NewContainer{ImageID: img.ID})
	if err != nil {
		t.Fatal(err)
	}
	empty(t, s.GraphRoot(), "overlay", img.TopLayer, "diff/f")

	after := rebooted(t, s)
	var told []string
	after.opts.Warn = func(msg string) { told = append(told, msg) }
	if _, err := after.Image(img.ID); err != nil {
		t.Error(err)
	}
	if _, err := after.Image(unused.ID); err == nil {
		t.Error("the image that no container uses is still there")
	}
	text := strings.Join(told, "\n")
	if !strings.Contains(text, "localhost/used") || !strings.Contains(text, c.ID) || !strings.Contains(text, "localhost/unused") {
		t.Errorf("told of %q", told)
	}
}

// longAgo has the layers there are be on the disk for long.
func longAgo(t *testing.T, s *Store) {
	t.Helper()
	lists, _ := filepath.Glob(filepath.Join(s.claimsDir(), "*"+layering))
	for _, l := range lists {
		if err := os.Remove(l); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPowerCutTakesAnImage(t *testing.T) {
	s := open(t)
	old := image(t, s, "localhost/old", files(t, "f"))
	longAgo(t, s)
	base, _ := s.Layer(old.TopLayer)
	whole := image(t, s, "localhost/whole", files(t, "f"), files(t, "g"))
	layer := mustCommit(t, s, files(t, "h", "i"), base.ID)
	img, err := s.CreateImage(NewImage{Names: []string{"localhost/cut"}, Config: []byte("{}"), Manifest: []byte("{}"), TopLayer: layer.ID})
	if err != nil {
		t.Fatal(err)
	}
	empty(t, s.GraphRoot(), "overlay", layer.ID, "diff/i")

	again(t, s).healOnce() // no reboot: nothing is read again
	if _, err := s.Image(img.ID); err != nil {
		t.Fatal(err)
	}
	after := rebooted(t, s)
	var lost []string
	after.opts.Warn = func(msg string) { lost = append(lost, msg) }
	if _, err := after.Image(whole.ID); err != nil {
		t.Error(err)
	}
	if _, err := after.Image(old.ID); err != nil {
		t.Error(err)
	}
	if _, err := after.Image(img.ID); err == nil {
		t.Error("the image that lacks data is still there")
	}
	if len(lost) != 1 || !strings.Contains(lost[0], "localhost/cut") {
		t.Errorf("told of %v", lost)
	}
	wantLayers(t, after, false, layer)
	wantLayers(t, after, true, base)
	if left, _ := os.ReadDir(s.claimsDir()); len(left) > 0 {
		t.Errorf("claims %v are still there", left)
	}
}
