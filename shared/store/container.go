package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"go.podman.io/storage"
	"go.podman.io/storage/pkg/idtools"
	"go.podman.io/storage/pkg/stringid"
	"go.podman.io/storage/types"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/userns"
)

// NewContainer is what CreateContainer records.
type NewContainer struct {
	ID       string // "" makes a random one
	Names    []string
	ImageID  string
	TopLayer string // the read-write layer goes on it; "" means the image's
	Metadata string // small: it is in the list file of all containers
	BigData  map[string][]byte

	MountLabel   string // SELinux
	ProcessLabel string // SELinux; given if MountLabel is
	MountOptions []string
	Volatile     bool              // needn't survive a crash of the machine; a reboot forgets it
	IDMaps       userns.Maps       // of its user namespace; empty is the host's IDs
	Auto         *AutoIDs          // instead of IDMaps: IDs that no other container has
	StorageOpt   map[string]string // "size" limits the read-write layer where the file system can
}

// Container is one container of the store.
type Container struct {
	ID           string
	Names        []string
	ImageID      string // "" if it has none
	LayerID      string // the read-write layer
	Metadata     string
	Created      time.Time
	BigDataNames []string
	MountLabel   string
	ProcessLabel string
	IDMaps       userns.Maps
}

// baseless marks, in a container's flags, that its image record is gone on
// purpose: it was made on a layer, not from an image.
const baseless = "podsuite.baseless"

func containerOf(c *storage.Container) Container {
	out := Container{
		ID: c.ID, Names: c.Names, ImageID: c.ImageID, LayerID: c.LayerID,
		Metadata: c.Metadata, Created: c.Created, BigDataNames: c.BigDataNames,
		MountLabel: c.MountLabel(), ProcessLabel: c.ProcessLabel(),
		IDMaps: userns.Maps{UIDs: mapsOf(c.UIDMap), GIDs: mapsOf(c.GIDMap)},
	}
	if is, _ := c.Flags[baseless].(bool); is {
		out.ImageID = ""
	}
	return out
}

func mapsOf(in []idtools.IDMap) []userns.IDMap {
	var out []userns.IDMap
	for _, m := range in {
		out = append(out, userns.IDMap{ContainerID: m.ContainerID, HostID: m.HostID, Size: m.Size})
	}
	return out
}

func libMaps(in []userns.IDMap) []idtools.IDMap {
	var out []idtools.IDMap
	for _, m := range in {
		out = append(out, idtools.IDMap{ContainerID: m.ContainerID, HostID: m.HostID, Size: m.Size})
	}
	return out
}

// CreateContainer makes a container with a new read-write layer. A taken name
// or ID is a *ConflictError.
func (s *Store) CreateContainer(n NewContainer) (Container, error) {
	opts := &storage.ContainerOptions{
		Volatile:   n.Volatile,
		MountOpts:  n.MountOptions,
		StorageOpt: n.StorageOpt,
		Flags:      map[string]any{},
		IDMappingOptions: types.IDMappingOptions{
			HostUIDMapping: len(n.IDMaps.UIDs) == 0,
			HostGIDMapping: len(n.IDMaps.GIDs) == 0,
			UIDMap:         libMaps(n.IDMaps.UIDs),
			GIDMap:         libMaps(n.IDMaps.GIDs),
		},
	}
	if n.MountLabel != "" {
		opts.Flags["MountLabel"] = n.MountLabel
		opts.Flags["ProcessLabel"] = n.ProcessLabel
	}
	for key, data := range n.BigData {
		opts.BigData = append(opts.BigData, storage.ContainerBigDataOption{Key: key, Data: data})
	}
	image, done, err := s.baseImage(n)
	if err != nil {
		return Container{}, fmt.Errorf("create container: %w", err)
	}
	defer done()
	if image != n.ImageID {
		opts.Flags[baseless] = true
	}
	if n.Auto != nil {
		if opts.IDMappingOptions, err = s.autoOptions(image, n.Auto); err != nil {
			return Container{}, err
		}
	}
	if n.ID == "" {
		n.ID = stringid.GenerateRandomID()
	}
	if err := s.ClaimContainer(n.ID); err != nil {
		return Container{}, fmt.Errorf("create container: %w", err)
	}
	defer s.release(n.ID)
	c, err := s.lib.CreateContainer(n.ID, n.Names, image, containerLayer(n.ID), n.Metadata, opts)
	if err != nil {
		return Container{}, s.conflict(n, s.exhausted(err, n.Auto))
	}
	return containerOf(c), nil
}

// baseImage is the image to make the container from. The library puts a
// container on an image only, so one on a bare layer gets an image record that
// done removes; the layer is then held by the container's own.
func (s *Store) baseImage(n NewContainer) (image string, done func(), err error) {
	if n.TopLayer == "" {
		return n.ImageID, func() {}, nil
	}
	if n.ImageID != "" {
		img, err := s.Image(n.ImageID)
		if err != nil {
			return "", nil, err
		}
		if img.TopLayer == n.TopLayer {
			return n.ImageID, func() {}, nil
		}
	}
	img, err := s.lib.CreateImage("", nil, n.TopLayer, "", nil)
	if err != nil {
		return "", nil, classify(err)
	}
	// Delete removes the record alone, never layers.
	return img.ID, func() { _ = s.lib.Delete(img.ID) }, nil
}

// conflict names the owner of what is taken.
func (s *Store) conflict(n NewContainer, err error) error {
	if errors.Is(err, storage.ErrDuplicateID) || errors.Is(err, storage.ErrDuplicateName) {
		for _, name := range append([]string{n.ID}, n.Names...) {
			if c, lookErr := s.lib.Container(name); name != "" && lookErr == nil {
				return &ConflictError{Kind: "container", Name: name, Owner: c.ID}
			}
		}
	}
	if errors.Is(err, errdef.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("create container: %w", classify(err))
}

// Containers lists the containers, in no particular order.
func (s *Store) Containers() ([]Container, error) {
	s.healOnce()
	all, err := s.lib.Containers()
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", classify(err))
	}
	containers := make([]Container, len(all))
	for i := range all {
		containers[i] = containerOf(&all[i])
	}
	return containers, nil
}

// Container finds a container by its name, its ID, or the beginning of its ID
// if no other container's begins so. The class is errdef.ErrNotFound, or
// errdef.ErrConflict for an ambiguous prefix.
func (s *Store) Container(nameOrID string) (Container, error) {
	s.healOnce()
	c, err := s.lib.Container(nameOrID)
	if err == nil {
		return containerOf(c), nil
	}
	if !errors.Is(err, storage.ErrContainerUnknown) {
		return Container{}, fmt.Errorf("look up container %q: %w", nameOrID, classify(err))
	}
	if isHex(nameOrID) {
		all, err := s.lib.Containers()
		if err != nil {
			return Container{}, fmt.Errorf("look up container %q: %w", nameOrID, err)
		}
		n := 0
		for i := range all {
			if strings.HasPrefix(all[i].ID, nameOrID) {
				n++
			}
		}
		if n > 1 {
			return Container{}, errdef.Newf(errdef.ErrConflict, "container ID prefix %q is ambiguous", nameOrID)
		}
	}
	return Container{}, errdef.Newf(errdef.ErrNotFound, "%s: container not known", nameOrID)
}

// ContainerData reads one of the container's data items.
func (s *Store) ContainerData(id, key string) ([]byte, error) {
	data, err := s.lib.ContainerBigData(id, key)
	if err != nil {
		return nil, fmt.Errorf("read %q of container %q: %w", key, id, classify(err))
	}
	return data, nil
}

// SetContainerData replaces one of the container's data items atomically.
func (s *Store) SetContainerData(id, key string, data []byte) error {
	err := s.claim(id + changing)
	if err == nil {
		err = s.lib.SetContainerBigData(id, key, data)
		s.release(id + changing)
	}
	if err != nil {
		return fmt.Errorf("write %q of container %q: %w", key, id, classify(err))
	}
	return nil
}

// SetContainerMetadata replaces the container's metadata.
func (s *Store) SetContainerMetadata(id, metadata string) error {
	if err := s.lib.SetMetadata(id, metadata); err != nil {
		return fmt.Errorf("write metadata of container %q: %w", id, classify(err))
	}
	return nil
}

// RenameContainer gives the container the one name. A taken name is a
// *ConflictError.
func (s *Store) RenameContainer(id, name string) error {
	if other, err := s.lib.Container(name); err == nil && other.ID != id {
		for _, n := range other.Names {
			if n == name {
				return &ConflictError{Kind: "container", Name: name, Owner: other.ID}
			}
		}
	}
	err := s.lib.SetNames(id, []string{name})
	if errors.Is(err, storage.ErrDuplicateName) {
		return s.conflict(NewContainer{Names: []string{name}}, err)
	}
	if err != nil {
		return fmt.Errorf("rename container %q: %w", id, classify(err))
	}
	return nil
}

// RemoveContainer unmounts and removes the container, its layer and its data.
// What fails, as on a full disk, may have gone in part: the claim stays, and the
// next command finishes it. This process can't: the library takes for gone what
// it could not strike off its list.
func (s *Store) RemoveContainer(id string) error {
	_, err := s.lib.Container(id)
	if err == nil {
		err = s.claim(id + removal)
	}
	if err == nil {
		err = s.lib.DeleteContainer(id)
	}
	if err != nil {
		return fmt.Errorf("remove container %q: %w", id, classify(err))
	}
	s.release(id + removal)
	return nil
}

// ContainerDir is where the container's persistent files are kept; they go
// when it goes. Give a full ID. The directory may not exist yet.
func (s *Store) ContainerDir(id string) string {
	return filepath.Join(s.GraphRoot(), s.Driver()+"-containers", id, "userdata")
}

// ContainerRunDir is the same on the run root.
func (s *Store) ContainerRunDir(id string) string {
	return filepath.Join(s.RunRoot(), s.Driver()+"-containers", id, "userdata")
}

// Mounted tells whether the container, or the layer, is mounted.
func (s *Store) Mounted(id string) bool {
	n, err := s.lib.Mounted(id)
	return err == nil && n > 0
}
