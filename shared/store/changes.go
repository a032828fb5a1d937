package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"go.podman.io/storage"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store/unpack"
)

// CommitChanges stages, as a layer, what the container changed on top of its
// image. With consume the container's files themselves become the layer, and
// no data is copied where that is possible; the container, which must not be
// mounted then, has lost its changes and is good for removal only, also when
// the staged layer is discarded.
func (s *Store) CommitChanges(containerID string, consume bool) (*StagedLayer, error) {
	c, err := s.Container(containerID)
	if err != nil {
		return nil, err
	}
	l, err := s.commitChanges(c, consume)
	if err != nil {
		return nil, fmt.Errorf("commit changes of container %q: %w", containerID, err)
	}
	return l, nil
}

func (s *Store) commitChanges(c Container, consume bool) (*StagedLayer, error) {
	s.prune.Do(s.pruneStaging)
	tree := ""
	if consume {
		if n, err := s.lib.Mounted(c.LayerID); err != nil || n > 0 {
			return nil, errdef.Newf(errdef.ErrBusy, "it is mounted")
		}
		if s.consumable(c) {
			var err error
			if tree, err = s.lib.DifferTarget(c.LayerID); err != nil {
				return nil, err
			}
		}
	}
	r, err := s.OpenLayer(c.LayerID)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if tree == "" {
		return s.StageLayer(context.Background(), Blob{Size: -1}, r)
	}
	stream, err := unpack.NewStream(context.Background(), r)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	return s.stage(&differ{ctx: context.Background(), stream: stream, tree: tree})
}

// consumable says whether the container's tree is on disk what an image
// layer's is.
func (s *Store) consumable(c Container) bool {
	l, err := s.lib.Layer(c.LayerID)
	return err == nil && s.plainTree(l)
}

// plainTree says whether the layer's tree is not shifted, and without
// references to lower layers, which the kernel may leave where the driver can't
// take the differences directly.
func (s *Store) plainTree(l *storage.Layer) bool {
	if len(l.UIDMap) > 0 || len(l.GIDMap) > 0 {
		return false
	}
	driver, err := s.lib.GraphDriver()
	if err != nil {
		return false
	}
	for _, kv := range driver.Status() {
		if kv[0] == "Native Overlay Diff" {
			return kv[1] == "true"
		}
	}
	return false
}

// replaceTree moves the tree to dest, an empty directory, and leaves an empty
// one like it behind.
func replaceTree(dest, tree string) error {
	info, err := os.Stat(tree)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errdef.Newf(errdef.ErrUnsupported, "no owner known of %q", tree)
	}
	empty := filepath.Join(filepath.Dir(dest), "empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		return err
	}
	if err := os.Chown(empty, int(owner.Uid), int(owner.Gid)); err != nil {
		return err
	}
	if err := os.Chmod(empty, info.Mode()); err != nil {
		return err
	}
	if err := os.Remove(dest); err != nil {
		return err
	}
	if err := os.Rename(tree, dest); err != nil {
		return err
	}
	return os.Rename(empty, tree)
}
