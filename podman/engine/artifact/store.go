package artifact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
)

// The files of the layout that aren't blobs.
const (
	indexFile = "index.json"
	lockFile  = "index.lock"
)

// maxIndexSize bounds the index and manifests, in bytes.
const maxIndexSize = 4 << 20

// Store is the artifacts below a graph root.
type Store struct{ dir string }

// Open gives the artifacts below the graph root. Nothing is made yet.
func Open(graphRoot string) *Store { return &Store{filepath.Join(graphRoot, "artifacts")} }

// Artifact is one artifact.
type Artifact struct {
	Name     string
	Digest   digest.Digest // of the manifest
	Manifest spec.Manifest
}

// Size is the size of all files, in bytes.
func (a *Artifact) Size() int64 {
	n := int64(0)
	for _, l := range a.Manifest.Layers {
		n += l.Size
	}
	return n
}

// Created is when the artifact was made; zero if it doesn't say.
func (a *Artifact) Created() time.Time {
	t, err := time.Parse(time.RFC3339Nano, a.Manifest.Annotations[spec.AnnotationCreated])
	if err != nil {
		return time.Time{}
	}
	return t
}

// List lists the artifacts in the order they came.
func (s *Store) List() ([]*Artifact, error) {
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	all := make([]*Artifact, 0, len(index.Manifests))
	for _, d := range index.Manifests {
		a, err := s.read(d)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// Find finds an artifact by its name, with :latest added or not, by its digest,
// or by the beginning of that.
func (s *Store) Find(name string) (*Artifact, error) {
	index, err := s.index()
	if err != nil {
		return nil, err
	}
	i, err := find(index, name)
	if err != nil {
		return nil, err
	}
	return s.read(index.Manifests[i])
}

// find gives the place of the artifact in the index.
func find(index *spec.Index, name string) (int, error) {
	if i := named(index, name); i >= 0 {
		return i, nil
	}
	hex := strings.TrimPrefix(name, "sha256:")
	if !ref.IsHex(hex) {
		return 0, unknown(name)
	}
	found := -1
	for i, d := range index.Manifests {
		switch {
		case !strings.HasPrefix(d.Digest.Encoded(), hex):
		case found >= 0 && index.Manifests[found].Digest != d.Digest:
			return 0, errdef.Newf(errdef.ErrConflict, "artifact digest prefix %q is ambiguous", name)
		default:
			found = i
		}
	}
	if found < 0 {
		return 0, unknown(name)
	}
	return found, nil
}

// named gives the place of the artifact with the name, or -1.
func named(index *spec.Index, name string) int {
	wanted := []string{name}
	if n, err := ref.Parse(name); err == nil {
		wanted = append(wanted, n.Tagged().String())
		if n.Tag == "latest" && n.Digest == "" {
			wanted = append(wanted, n.Repository().String())
		}
	}
	for _, want := range wanted {
		if i := slices.IndexFunc(index.Manifests, func(d spec.Descriptor) bool { return d.Annotations[spec.AnnotationRefName] == want }); i >= 0 {
			return i
		}
	}
	return -1
}

func unknown(name string) error {
	return errdef.Newf(errdef.ErrNotFound, "%s: artifact does not exist", name)
}

// Remove removes artifacts, or all, and gives the digests of those that are
// gone, also when another one makes an error. With ignore what isn't there is
// none.
func (s *Store) Remove(names []string, all, ignore bool) (removed []digest.Digest, err error) {
	if _, err := os.Stat(s.dir); errors.Is(err, os.ErrNotExist) && (all || ignore) {
		return nil, nil
	}
	err = s.change(func(index *spec.Index) error {
		if all {
			for _, d := range index.Manifests {
				removed = append(removed, d.Digest)
			}
			index.Manifests = []spec.Descriptor{}
			return nil
		}
		for _, name := range names {
			i, err := find(index, name)
			if err != nil {
				if ignore && errors.Is(err, errdef.ErrNotFound) {
					continue
				}
				return err
			}
			removed = append(removed, index.Manifests[i].Digest)
			index.Manifests = slices.Delete(index.Manifests, i, i+1)
		}
		return nil
	})
	return removed, err
}

// Blob opens one of the files of artifacts.
func (s *Store) Blob(d digest.Digest) (*os.File, error) {
	if err := d.Validate(); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "open blob %q: %w", d, err)
	}
	return os.Open(s.blobPath(d))
}

func (s *Store) blobPath(d digest.Digest) string {
	return filepath.Join(s.dir, spec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// read reads the manifest that an entry of the index names.
func (s *Store) read(d spec.Descriptor) (*Artifact, error) {
	a := &Artifact{Name: d.Annotations[spec.AnnotationRefName], Digest: d.Digest}
	f, err := s.Blob(d.Digest)
	if err != nil {
		return nil, fmt.Errorf("read artifact %q: %w", a.Name, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxIndexSize))
	if err != nil {
		return nil, fmt.Errorf("read artifact %q: %w", a.Name, err)
	}
	if d.Digest.Algorithm().FromBytes(data) != d.Digest {
		return nil, errdef.Newf(errdef.ErrInvalid, "read artifact %q: its manifest does not have the digest %s: remove it and pull or add it again", a.Name, d.Digest)
	}
	if err := json.Unmarshal(data, &a.Manifest); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "read artifact %q: %w", a.Name, err)
	}
	return a, nil
}

// index reads the list of artifacts; without a layout it is empty.
func (s *Store) index() (*spec.Index, error) {
	index := &spec.Index{MediaType: spec.MediaTypeImageIndex, Manifests: []spec.Descriptor{}}
	index.SchemaVersion = 2
	f, err := os.Open(filepath.Join(s.dir, indexFile))
	if errors.Is(err, os.ErrNotExist) {
		return index, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read list of artifacts: %w", err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxIndexSize)).Decode(index); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "read list of artifacts %q: %w", f.Name(), err)
	}
	for _, d := range index.Manifests {
		if err := d.Digest.Validate(); err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "read list of artifacts %q: digest %q: %w", f.Name(), d.Digest, err)
		}
	}
	return index, nil
}

// lock keeps others from writing until unlock is called.
func (s *Store) lock() (unlock func(), err error) {
	for _, dir := range []struct {
		path string
		mode os.FileMode
	}{{s.dir, 0o700}, {filepath.Join(s.dir, spec.ImageBlobsDir, "sha256"), 0o755}} {
		if err := os.MkdirAll(dir.path, dir.mode); err != nil {
			return nil, fmt.Errorf("make artifact store: %w", err)
		}
	}
	return store.LockFile(filepath.Join(s.dir, lockFile))
}

// change changes the list of artifacts, whatever error says that the change
// ended early, and clears what no artifact needs any more.
func (s *Store) change(change func(*spec.Index) error) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	index, err := s.index()
	if err != nil {
		return err
	}
	err = change(index)
	if werr := s.write(index); werr != nil {
		return errors.Join(err, werr)
	}
	return errors.Join(err, s.clear(index))
}

// write replaces the list.
func (s *Store) write(index *spec.Index) error {
	marker, err := json.Marshal(spec.ImageLayout{Version: spec.ImageLayoutVersion})
	if err != nil {
		return err
	}
	data, err := json.Marshal(index)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{spec.ImageLayoutFile, marker}, {indexFile, data}} {
		if err := atomicfile.Write(filepath.Join(s.dir, f.name), f.data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// clear removes what a killed process left, and the blobs that no artifact of
// the index has. The lock is held, so nobody is about to need them.
func (s *Store) clear(index *spec.Index) error {
	unfinished, err := filepath.Glob(filepath.Join(s.dir, ".*-*"))
	if err != nil {
		return err
	}
	for _, path := range unfinished {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	used := map[digest.Digest]bool{}
	for _, d := range index.Manifests {
		a, err := s.read(d)
		if err != nil {
			return nil //nolint:nilerr // it isn't known what a damaged artifact needs
		}
		used[d.Digest], used[a.Manifest.Config.Digest] = true, true
		for _, l := range a.Manifest.Layers {
			used[l.Digest] = true
		}
	}
	blobs := filepath.Join(s.dir, spec.ImageBlobsDir)
	algorithms, err := os.ReadDir(blobs)
	if err != nil {
		return err
	}
	for _, algorithm := range algorithms {
		entries, err := os.ReadDir(filepath.Join(blobs, algorithm.Name()))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if used[digest.NewDigestFromEncoded(digest.Algorithm(algorithm.Name()), e.Name())] {
				continue
			}
			if err := os.Remove(filepath.Join(blobs, algorithm.Name(), e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
