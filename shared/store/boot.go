package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.podman.io/storage"
	"go.podman.io/storage/pkg/stringid"
	"golang.org/x/sys/unix"
)

// A machine that loses its power has not written everything to its disk: files
// that were new are empty, though the records that name them are there. So the
// first to open the store afterwards writes anew what says how layers lie on
// each other, which the library needs even to remove one, and reads again the
// layers that had come shortly before. To wait for the disk with every layer
// would cost more than the layer.

// bootFile, on the run root, names the boot in which the store is in use.
const bootFile = "boot"

// Sync returns when all that was written to the store is on the disk. It is for
// what can't be had again, like a container's changes.
func (s *Store) Sync() error { return syncDisk(s.imageRoot()) }

func syncDisk(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Syncfs(int(dir.Fd()))
}

// sinceBoot gives the name of this boot, after having mended what the end of the
// one before has left.
func sinceBoot(o Options) (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	kernel := strings.TrimSpace(string(data))
	path := filepath.Join(o.RunRoot, bootFile)
	if name, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(name), kernel) {
		return string(name), nil
	}
	for _, dir := range []string{o.RunRoot, filepath.Join(o.GraphRoot, claimsDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
	}
	unlock, err := lockDir(filepath.Join(o.GraphRoot, claimsDir), unix.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer unlock()
	if name, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(name), kernel) {
		return string(name), nil // another process was here first
	}
	if o.Driver == "overlay" {
		roots := append([]string{o.GraphRoot}, imageStores(o)...)
		for _, root := range []string{o.GraphRoot, o.ImageStore} {
			if root != "" {
				if err := mendLinks(root, roots); err != nil {
					return "", err
				}
			}
		}
	}
	name := kernel + "-" + stringid.GenerateRandomID()
	return name, replaceFile(path, name)
}

// imageStores are the other roots that layers of the store may lie on.
func imageStores(o Options) []string {
	var roots []string
	if o.ImageStore != "" {
		roots = append(roots, o.ImageStore)
	}
	for _, option := range o.DriverOptions {
		name, value, _ := strings.Cut(option, "=")
		switch strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(name), "overlay"), ".") {
		case "imagestore", "additionalimagestore":
			roots = append(roots, strings.Split(value, ",")...)
		}
	}
	return roots
}

// linkNames are the files of a layer's directory that say how it lies on others:
// its own short name, the short names below it, and the layers below it.
var linkNames = [...]string{"link", "lower", "lower-layers"}

// mendLinks writes those files anew where they are empty. roots are all those
// that have layers.
func mendLinks(root string, roots []string) error {
	home := filepath.Join(root, "overlay")
	entries, err := os.ReadDir(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var m *linkMender
	for _, e := range entries {
		if len(e.Name()) != 64 || !isHex(e.Name()) {
			continue
		}
		for i, name := range linkNames {
			info, err := os.Lstat(filepath.Join(home, e.Name(), name))
			if err == nil && info.Size() > 0 || i > 0 && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if m == nil {
				if m, err = newLinkMender(home, roots); err != nil {
					return err
				}
			}
			if err := m.mend(e.Name()); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// linkMender knows what the links are made of.
type linkMender struct {
	home    string
	parents map[string]string // of layers
	short   map[string]string // names of layers
	homes   map[string]string // of layers
}

func newLinkMender(home string, roots []string) (*linkMender, error) {
	m := &linkMender{home: home, parents: map[string]string{}, short: map[string]string{}, homes: map[string]string{}}
	for _, root := range roots {
		if err := m.learn(root); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// learn reads what there is on the root.
func (m *linkMender) learn(root string) error {
	home := filepath.Join(root, "overlay")
	for _, list := range []string{"layers.json", "volatile-layers.json"} {
		var layers []struct{ ID, Parent string }
		data, err := os.ReadFile(filepath.Join(root, "overlay-layers", list))
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
			continue // the volatile one is never synced, and empty is none to the library
		}
		if err == nil {
			err = json.Unmarshal(data, &layers)
		}
		if err != nil {
			return err
		}
		for _, l := range layers {
			if m.homes[l.ID] == "" {
				m.parents[l.ID], m.homes[l.ID] = l.Parent, home
			}
		}
	}
	links, err := os.ReadDir(filepath.Join(home, "l"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, l := range links {
		if target, err := os.Readlink(filepath.Join(home, "l", l.Name())); err == nil {
			if id := filepath.Base(filepath.Dir(target)); m.homes[id] == home {
				m.short[id] = l.Name()
			}
		}
	}
	return nil
}

// mend writes the layer's files. One that is in no list, or on one that isn't, is
// not the library's concern either.
func (m *linkMender) mend(id string) error {
	var short, layers []string
	for below := id; below != ""; below = m.parents[below] {
		if m.homes[below] == "" || len(layers) > len(m.parents) {
			return nil
		}
		if below != id {
			short, layers = append(short, "l/"+m.shortOf(below)), append(layers, below)
		}
	}
	texts := []string{m.shortOf(id), strings.Join(short, ":"), strings.Join(layers, ":")}
	for i, name := range linkNames {
		if texts[i] == "" {
			continue
		}
		if err := replaceFile(filepath.Join(m.home, id, name), texts[i]); err != nil {
			return err
		}
	}
	return nil
}

// shortOf is the layer's short name. Without one the library makes it when it
// mounts the layer.
func (m *linkMender) shortOf(id string) string {
	if m.short[id] == "" {
		m.short[id] = strings.ToUpper(stringid.GenerateRandomID()[:26])
		_ = os.Symlink(filepath.Join("..", id, "diff"), filepath.Join(m.homes[id], "l", m.short[id]))
	}
	return m.short[id]
}

// replaceFile writes a file as a whole.
func replaceFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err = firstOf(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// verify removes those of the layers that are not what they were made of, with
// the images that have them. It fails if one stays.
func (s *Store) verify(h healing, layers []string) error {
	var damaged []string
	for _, id := range layers {
		if _, read := h.intact[id]; !read {
			l, err := s.lib.Layer(id)
			h.intact[id] = err != nil || s.intact(l)
		}
		if !h.intact[id] {
			damaged = append(damaged, id)
		}
	}
	if len(damaged) == 0 {
		return nil
	}
	images, err := s.lib.Images()
	if err != nil {
		return err
	}
	var failed error
	for i := range images {
		if !s.rests(images[i].TopLayer, damaged) {
			continue
		}
		name := append(slices.Clone(images[i].Names), images[i].ID)[0]
		fate := "and is gone: pull or build it again"
		if _, err := s.lib.DeleteImage(images[i].ID, true); err != nil {
			failed = err
			fate = fmt.Sprintf("and lacks files (%v): remove what uses it, and it, and pull or build it again", err)
		}
		if s.opts.Warn != nil {
			s.opts.Warn(fmt.Sprintf("image %s was not yet on the disk when the machine stopped, %s", name, fate))
		}
	}
	return failed
}

// intact reads the layer again.
func (s *Store) intact(l *storage.Layer) bool {
	if s.Driver() != "overlay" || l.UncompressedDigest == "" {
		return true
	}
	if _, err := os.Lstat(filepath.Join(s.imageRoot(), s.Driver()+"-layers", l.ID+".tar-split.gz")); err != nil {
		return false
	}
	r, err := s.OpenLayer(l.ID)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, r)
	return firstOf(err, r.Close()) == nil
}

// rests says whether one of the layers is the top or below it.
func (s *Store) rests(top string, layers []string) bool {
	for id := top; id != ""; {
		if slices.Contains(layers, id) {
			return true
		}
		l, err := s.lib.Layer(id)
		if err != nil {
			return false
		}
		id = l.Parent
	}
	return false
}
