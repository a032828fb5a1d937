package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// kill does to the store's claims what the end of its process does.
func kill(s *Store) {
	for _, f := range s.claims {
		f.Close()
	}
}

// wantLayers checks which of the layers are there.
func wantLayers(t *testing.T, s *Store, want bool, layers ...Layer) {
	t.Helper()
	for _, l := range layers {
		if got := s.lib.Exists(l.ID); got != want {
			t.Errorf("layer %s is there: %v, want %v", l.ID, got, want)
		}
	}
}

func TestLayersOfAKilledPull(t *testing.T) {
	s := open(t)
	below := mustCommit(t, s, files(t, "f"), "")
	above := mustCommit(t, s, files(t, "g"), below.ID)
	kill(s)

	again(t, s).healOnce()
	wantLayers(t, s, true, below, above) // a second attempt uses them
	files, _ := filepath.Glob(filepath.Join(s.claimsDir(), "*"+layering))
	if len(files) != 1 {
		t.Fatalf("lists of layers %v, want one", files)
	}
	old := time.Now().Add(-layersAge - time.Minute)
	if err := os.Chtimes(files[0], old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := again(t, s).Images(); err != nil {
		t.Fatal(err)
	}
	wantLayers(t, s, false, below, above)
	if left, _ := os.ReadDir(s.claimsDir()); len(left) > 0 {
		t.Errorf("claims %v are still there", left)
	}
}

func TestSweepTakesLayersOfKilledProcesses(t *testing.T) {
	s := open(t)
	used := image(t, s, "localhost/a", files(t, "f"))
	below, _ := s.FindLayer("", mustStage(t, s, files(t, "f")).DiffID())
	left := mustCommit(t, s, files(t, "g"), below.ID)
	kill(s)

	other := again(t, s)
	other.Sweep()
	wantLayers(t, s, false, left)
	wantLayers(t, s, true, below)
	if _, err := other.Image(used.ID); err != nil {
		t.Error(err)
	}
}

func TestLayersOthersCountOn(t *testing.T) {
	s := open(t)
	shared := mustCommit(t, s, files(t, "f"), "")
	left := mustCommit(t, s, files(t, "g"), shared.ID)
	kill(s)
	living := again(t, s)
	if _, ok := living.FindLayer("", shared.DiffID); !ok {
		t.Fatal("the layer is not found")
	}

	again(t, s).Sweep()
	wantLayers(t, s, false, left)
	wantLayers(t, s, true, shared)

	living.unlistLayers(shared.ID)
	if files := claims(t, s); len(files) > 0 {
		t.Errorf("claims %v are still there", files)
	}
}

// The list of an image that is whole stays until the layers are on the disk.
func TestListOfAWholeImage(t *testing.T) {
	s := open(t)
	image(t, s, "localhost/a", files(t, "f"), files(t, "g"))
	lists, _ := filepath.Glob(filepath.Join(s.claimsDir(), "*"+layering))
	if len(lists) != 1 || len(claims(t, s)) > 0 {
		t.Fatalf("lists %v, claims %v", lists, claims(t, s))
	}
	other := again(t, s)
	other.Sweep()
	if _, err := os.Stat(lists[0]); err != nil {
		t.Error(err)
	}
	old := time.Now().Add(-writtenAge - time.Second)
	if err := os.Chtimes(lists[0], old, old); err != nil {
		t.Fatal(err)
	}
	again(t, s).healOnce()
	if _, err := os.Stat(lists[0]); err == nil {
		t.Error("the list is still there")
	}
	if images, err := other.Images(); len(images) != 1 {
		t.Errorf("images %v, %v", images, err)
	}
}

// A pull that fails again and again, before it has a layer, leaves no list each
// time.
func TestListOfAnImageThatNeverCame(t *testing.T) {
	s := open(t)
	made := mustCommit(t, s, files(t, "f"), "")
	for _, second := range []bool{false, true} {
		other := again(t, s)
		if second {
			mustCommit(t, other, files(t, "g"), made.ID)
		} else if _, ok := other.FindLayer("", made.DiffID); !ok {
			t.Fatal("the layer is not found")
		}
		before := len(claims(t, s))
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		if gone := len(claims(t, s)) < before; gone == second {
			t.Errorf("made a layer: %v, the list is gone: %v", second, gone)
		}
	}
}

// What came after the image with the list is gone is another's: other tools have
// no lists.
func TestListOfAnImageThatIsGone(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/a", files(t, "f"))
	if _, err := s.RemoveImage(img.ID); err != nil {
		t.Fatal(err)
	}
	l, _, err := s.lib.PutLayer(img.TopLayer, "", nil, "", false, nil, bytes.NewReader(files(t, "f")))
	if err != nil {
		t.Fatal(err)
	}
	lists, _ := filepath.Glob(filepath.Join(s.claimsDir(), "*"+layering))
	old := time.Now().Add(-writtenAge - time.Second)
	for _, list := range lists {
		if err := os.Chtimes(list, old, old); err != nil {
			t.Fatal(err)
		}
	}
	again(t, s).healOnce()
	wantLayers(t, s, true, Layer{ID: l.ID})
	if left, _ := os.ReadDir(s.claimsDir()); len(lists) == 0 || len(left) > 0 {
		t.Errorf("of the lists %v are left %v", lists, left)
	}
}

func TestKilledWhileRemovingAnImage(t *testing.T) {
	s := open(t)
	kept := image(t, s, "localhost/kept", files(t, "f"))
	base, _ := s.Layer(kept.TopLayer)
	top := mustCommit(t, s, files(t, "g"), base.ID)
	img, err := s.CreateImage(NewImage{Names: []string{"localhost/a"}, Config: []byte("{}"), Manifest: []byte("{}"), TopLayer: top.ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.claimRemoval(img.ID); err != nil {
		t.Fatal(err)
	}
	kill(s)
	again(t, s).healOnce()
	wantLayers(t, s, true, top) // the image is still there

	killed := again(t, s)
	if _, err := killed.claimRemoval(img.ID); err != nil {
		t.Fatal(err)
	}
	if err := killed.lib.Delete(img.ID); err != nil { // the record alone
		t.Fatal(err)
	}
	dir := filepath.Join(s.GraphRoot(), "overlay-images", img.ID)
	if err := os.Mkdir(dir, 0o700); err != nil { // and not its files
		t.Fatal(err)
	}
	kill(killed)
	again(t, s).healOnce()
	wantLayers(t, s, false, top)
	if _, err := os.Stat(dir); err == nil {
		t.Error("files of the image are still there")
	}
	wantLayers(t, s, true, base)
}

func TestFailedRemovalOfAnImageIsFinished(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/a", files(t, "f"), files(t, "g"))
	top, err := s.Layer(img.TopLayer)
	if err != nil {
		t.Fatal(err)
	}
	longAgo(t, s)
	unwritable(t, filepath.Join(s.GraphRoot(), "overlay-layers/layers.json"), func() {
		if _, err := s.RemoveImage(img.ID); err == nil {
			t.Fatal("removed where the list can't be written")
		}
	})
	end(s)
	other := rebooted(t, s) // the library reads its lists again
	if images, err := other.Images(); err != nil || len(images) != 0 {
		t.Fatalf("images %v, %v: this shows nothing", images, err)
	}
	wantLayers(t, other, false, top)
	if left, err := os.ReadDir(filepath.Join(s.GraphRoot(), "overlay/l")); err != nil || len(left) > 0 {
		t.Errorf("layers are still there: %v, %v", left, err)
	}
}
