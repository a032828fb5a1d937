// Package volume keeps named volumes: a directory each below the store, with
// its facts in a file beside its data. It imports the standard library, errdef,
// go-units and x/sys only.
package volume

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"golang.org/x/sys/unix"
)

// Volume is one local volume.
type Volume struct {
	Name       string            `json:"Name"`
	Driver     string            `json:"Driver"`
	Mountpoint string            `json:"Mountpoint"` // the data directory
	CreatedAt  time.Time         `json:"CreatedAt"`
	Labels     map[string]string `json:"Labels"`
	Options    map[string]string `json:"Options"`
	Anonymous  bool              `json:"Anonymous"`
	UID        int               `json:"UID,omitempty"` // the data directory's owner
	GID        int               `json:"GID,omitempty"`
	NoCopy     bool              `json:"NoCopy,omitempty"` // an empty one stays empty
	// NeedsCopyUp is true until the volume was first mounted: an empty one
	// then gets what the image has at the place.
	NeedsCopyUp bool `json:"NeedsCopyUp"`
}

// Dir is a directory of volumes.
type Dir struct{ path string }

// Open names the directory; it is made with the first volume.
func Open(path string) *Dir { return &Dir{path} }

// Path is where the volumes lie.
func (d *Dir) Path() string { return d.path }

// facts is the file of a volume's facts; filepath.Base keeps an odd name inside.
func (d *Dir) facts(name string) string {
	return filepath.Join(d.path, filepath.Base("/"+name), "volume.json")
}

// Get looks a volume up by its name.
func (d *Dir) Get(name string) (Volume, error) {
	data, err := os.ReadFile(d.facts(name))
	if strings.HasPrefix(name, ".") || errors.Is(err, fs.ErrNotExist) {
		return Volume{}, errdef.Newf(errdef.ErrNotFound, "no such volume %s", name)
	}
	var v Volume
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		return Volume{}, fmt.Errorf("read volume %q: %w", name, err)
	}
	v.Mountpoint = filepath.Join(d.path, name, "_data")
	return v, nil
}

// What is being made, or goes, has a name that no volume can have: it is there
// as a whole or not at all, and what a killed process left goes with the next
// change.
const (
	coming = ".coming-"
	going  = ".going-"
)

// Create makes a volume; the class is errdef.ErrConflict when the name is
// taken. A directory without facts is a volume that the reference tools made:
// it is taken over with its data.
func (d *Dir) Create(v Volume) (Volume, error) {
	fail := func(err error) (Volume, error) { return Volume{}, fmt.Errorf("create volume %q: %w", v.Name, err) }
	unlock, err := d.lock()
	if err != nil {
		return fail(err)
	}
	defer unlock()
	if _, err := d.Get(v.Name); err == nil {
		return Volume{}, errdef.Newf(errdef.ErrConflict, "volume with name %s already exists: volume already exists", v.Name)
	}
	v.Driver, v.Mountpoint, v.CreatedAt = "local", filepath.Join(d.path, v.Name, "_data"), time.Now()
	if v.Labels == nil {
		v.Labels = map[string]string{}
	}
	if v.Options == nil {
		v.Options = map[string]string{}
	}
	v.NeedsCopyUp = !v.NoCopy
	if _, err := os.Lstat(filepath.Join(d.path, v.Name)); err == nil {
		if err := makeData(filepath.Join(d.path, v.Name), &v); err != nil {
			return fail(err)
		}
		return v, d.Save(v)
	}
	dir, err := os.MkdirTemp(d.path, coming)
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	if err := makeData(dir, &v); err != nil {
		return fail(err)
	}
	data, err := json.Marshal(v)
	if err == nil {
		err = atomicfile.Write(filepath.Join(dir, "volume.json"), data, 0o600)
	}
	if err == nil {
		err = os.Rename(dir, filepath.Join(d.path, v.Name))
	}
	if err == nil {
		err = syncDir(d.path)
	}
	if err != nil {
		return fail(err)
	}
	return v, nil
}

// makeData makes the data directory in the volume's.
func makeData(dir string, v *Volume) error {
	data := filepath.Join(dir, "_data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	if v.UID != 0 || v.GID != 0 {
		if err := os.Chown(data, v.UID, v.GID); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o700)
}

// lock keeps other processes from changing the set of volumes, and removes
// what killed ones left.
func (d *Dir) lock() (unlock func(), err error) {
	if err := os.MkdirAll(d.path, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Open(d.path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	names, _ := f.Readdirnames(-1)
	for _, name := range names {
		if strings.HasPrefix(name, coming) || strings.HasPrefix(name, going) {
			os.RemoveAll(filepath.Join(d.path, name))
		}
	}
	return func() { f.Close() }, nil
}

// Save replaces the volume's facts.
func (d *Dir) Save(v Volume) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write volume %q: %w", v.Name, err)
	}
	if err := atomicfile.Write(d.facts(v.Name), data, 0o600); err != nil {
		return fmt.Errorf("write volume %q: %w", v.Name, err)
	}
	return nil
}

// syncDir returns when the names in the directory are on the disk.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// List lists the volumes by name.
func (d *Dir) List() ([]Volume, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var all []Volume
	for _, entry := range entries {
		if v, err := d.Get(entry.Name()); err == nil {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b Volume) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Remove deletes a volume with its data.
func (d *Dir) Remove(name string) error {
	// What is mounted there is not the volume's to delete. A mount that hangs
	// must not hold up changes of other volumes.
	v, err := d.Get(name)
	if err == nil && v.NeedsMount() {
		err = v.Unmount()
	}
	if err != nil {
		return err
	}
	gone, err := d.takeAway(name)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("remove volume %q: %w", name, err)
	}
	return nil
}

// takeAway gives the volume's directory a name that stands for no volume.
func (d *Dir) takeAway(name string) (gone string, err error) {
	unlock, err := d.lock()
	if err != nil {
		return "", fmt.Errorf("remove volume %q: %w", name, err)
	}
	defer unlock()
	v, err := d.Get(name)
	if err != nil {
		return "", err
	}
	if v.NeedsMount() {
		if err := v.Unmount(); err != nil { // of a mount since then
			return "", err
		}
	}
	gone = filepath.Join(d.path, going+v.Name)
	if err := os.Rename(filepath.Join(d.path, v.Name), gone); err != nil {
		return "", fmt.Errorf("remove volume %q: %w", name, err)
	}
	return gone, nil
}
