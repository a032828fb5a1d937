package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"go.podman.io/storage"
)

// again opens the same store as another process would.
func again(t *testing.T, s *Store) *Store {
	t.Helper()
	other, err := Open(s.opts)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// deserted is the claim of a process that was killed.
func deserted(t *testing.T, s *Store, name string) {
	t.Helper()
	if err := os.MkdirAll(s.claimsDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.claimsDir(), name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// claims lists the claims but for those of images that are whole.
func claims(t *testing.T, s *Store) (names []string) {
	t.Helper()
	entries, _ := os.ReadDir(s.claimsDir())
	for _, e := range entries {
		f, err := os.Open(filepath.Join(s.claimsDir(), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !readList(f).recorded {
			names = append(names, e.Name())
		}
		f.Close()
	}
	return names
}

func TestKilledWhileMakingAContainer(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/a", files(t, "f"))
	const id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	deserted(t, s, id)
	if _, err := s.lib.CreateLayer(containerLayer(id), img.TopLayer, nil, "", true, &storage.LayerOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.ContainerRunDir(id), 0o700); err != nil {
		t.Fatal(err)
	}

	var healed []string
	s.opts.Healed = func(id string) { healed = append(healed, id) }
	other := again(t, s)
	if _, err := other.Containers(); err != nil {
		t.Fatal(err)
	}
	if other.lib.Exists(containerLayer(id)) {
		t.Error("the layer is still there")
	}
	if _, err := os.Stat(filepath.Dir(s.ContainerRunDir(id))); !os.IsNotExist(err) {
		t.Errorf("the directory on the run root is still there: %v", err)
	}
	if left := claims(t, s); len(left) > 0 {
		t.Errorf("the claim is still there: %v", left)
	}
	if len(healed) != 1 || healed[0] != id {
		t.Errorf("told of %v", healed)
	}
	if _, err := other.CreateContainer(NewContainer{ID: id, ImageID: img.ID}); err != nil {
		t.Errorf("the same container can't be made again: %v", err)
	}
}

func TestKilledWhileRemovingAContainer(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/a", files(t, "f"))
	c, err := s.CreateContainer(NewContainer{ImageID: img.ID})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := s.CreateContainer(NewContainer{ImageID: img.ID})
	if err != nil {
		t.Fatal(err)
	}
	deserted(t, s, c.ID+removal)
	if err := s.lib.DeleteLayer(c.LayerID); err == nil {
		t.Log("the library removes layers of containers")
	}
	list, err := again(t, s).Containers()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].ID != kept.ID {
		t.Errorf("containers %v, want %s alone", list, kept.ID)
	}
}

func TestKilledWhileChangingAContainer(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/a", files(t, "f"))
	c, err := s.CreateContainer(NewContainer{ImageID: img.ID, BigData: map[string][]byte{"config": []byte("old")}})
	if err != nil {
		t.Fatal(err)
	}
	deserted(t, s, c.ID+changing)
	if err := os.WriteFile(filepath.Join(filepath.Dir(s.ContainerDir(c.ID)), "config"), []byte("a longer one"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := again(t, s)
	if _, err := other.Containers(); err != nil {
		t.Fatal(err)
	}
	damage, err := other.Check(CheckOptions{Quick: true})
	if err != nil || len(damage.Problems) > 0 {
		t.Errorf("damage %v, %v", damage, err)
	}
	if data, err := other.ContainerData(c.ID, "config"); string(data) != "a longer one" {
		t.Errorf("data %q, %v", data, err)
	}
}

func TestKilledWhileMakingAnImage(t *testing.T) {
	s := open(t)
	whole := image(t, s, "localhost/a", files(t, "f"))
	deserted(t, s, whole.ID+imaging)
	const half = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	layer := mustCommit(t, s, files(t, "g"), whole.TopLayer)
	if _, err := s.lib.CreateImage(half, []string{"localhost/b"}, layer.ID, "", nil); err != nil {
		t.Fatal(err)
	}
	deserted(t, s, half+imaging)
	other := again(t, s)
	if _, err := other.Images(); err != nil {
		t.Fatal(err)
	}
	if other.lib.Exists(half) || other.lib.Exists(layer.ID) {
		t.Error("half an image, or its layer, is still there")
	}
	if !other.lib.Exists(whole.ID) {
		t.Error("a whole image was removed")
	}
}

func TestLiveClaimIsLeftAlone(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/a", files(t, "f"))
	c, err := s.CreateContainer(NewContainer{ImageID: img.ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.claim(c.ID + removal); err != nil {
		t.Fatal(err)
	}
	list, err := again(t, s).Containers()
	if err != nil || len(list) != 1 {
		t.Fatalf("containers %v, %v", list, err)
	}
	s.release(c.ID + removal)
	if left := claims(t, s); len(left) > 0 {
		t.Errorf("claims %v after the release", left)
	}
}

// A reboot clears the run root, and ends all processes.
func TestRebootWhileMakingAContainer(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/a", files(t, "f"))
	const id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	deserted(t, s, id)
	if _, err := s.lib.CreateLayer(containerLayer(id), img.TopLayer, nil, "", true, &storage.LayerOptions{}); err != nil {
		t.Fatal(err)
	}
	o := s.opts
	o.RunRoot = t.TempDir()
	after, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := after.Images(); err != nil {
		t.Fatal(err)
	}
	if after.lib.Exists(containerLayer(id)) {
		t.Error("the layer is still there")
	}
}

// Somebody who looks for claims of killed processes may come upon one that is
// not locked yet.
func TestClaimWhileOthersLook(t *testing.T) {
	s := open(t)
	other := again(t, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20000 {
			other.endClaims(0)
		}
	}()
	for {
		if err := s.claim("c"); err != nil {
			t.Fatal(err)
		}
		s.release("c")
		select {
		case <-done:
			return
		default:
		}
	}
}

// Two processes may come upon the claim of a killed one: what the first makes
// of the same name meanwhile is not for the second to end.
func TestClaimThatReplacesADeadOne(t *testing.T) {
	s := open(t)
	deserted(t, s, "c"+changing)
	path := filepath.Join(s.claimsDir(), "c"+changing)
	unlock, err := s.lockClaims(unix.LOCK_SH) // the other waits for it
	if err != nil {
		t.Fatal(err)
	}
	other, done := again(t, s), make(chan struct{})
	go func() {
		defer close(done)
		other.endClaims(0)
	}()
	time.Sleep(100 * time.Millisecond) // the other has it by now
	f, err := s.newClaim()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Rename(f.Name(), path); err != nil {
		t.Fatal(err)
	}
	unlock()
	<-done
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the claim of a living process is gone: %v", err)
	}
}

// A removal that fails half-way, as on a full disk, is finished by the next
// command.
func TestFailedRemovalIsFinished(t *testing.T) {
	s := open(t)
	img := image(t, s, "localhost/a", files(t, "f"))
	c, err := s.CreateContainer(NewContainer{ImageID: img.ID})
	if err != nil {
		t.Fatal(err)
	}
	unwritable(t, filepath.Join(s.GraphRoot(), "overlay-containers/containers.json"), func() {
		if err := s.RemoveContainer(c.ID); err == nil {
			t.Fatal("removed where the list can't be written")
		}
	})
	if s.lib.Exists(c.LayerID) {
		t.Fatal("the layer is still there: this shows nothing")
	}
	s.endClaims(0) // this process knows of no container any more
	end(s)
	other := rebooted(t, s) // the library reads its lists again
	if list, err := other.Containers(); err != nil || len(list) != 0 {
		t.Errorf("containers %v, %v", list, err)
	}
}

// end lets go of the store's claims, as a process does that ends.
func end(s *Store) {
	for name := range s.claims {
		s.abandon(name)
	}
}

// unwritable runs f while the file can't be replaced.
func unwritable(t *testing.T, path string, f func()) {
	t.Helper()
	if err := unix.Mount(path, path, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(path, unix.MNT_DETACH)
	f()
}
