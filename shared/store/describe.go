package store

import (
	"fmt"

	"go.podman.io/storage/pkg/archive"
)

// ChangeKind says what happened to a file.
type ChangeKind int

// The kinds, as diff commands name them: C, A and D.
const (
	Modified ChangeKind = iota
	Added
	Deleted
)

// Change is a path of a layer that is other than below it.
type Change struct {
	Path string // from the root, with a leading slash
	Kind ChangeKind
}

// Changes lists what is different in the layer to from the layer from; ""
// stands for the layer's parent.
func (s *Store) Changes(from, to string) ([]Change, error) {
	all, err := s.lib.Changes(from, to)
	if err != nil {
		return nil, fmt.Errorf("compare layers: %w", classify(err))
	}
	kinds := map[archive.ChangeType]ChangeKind{archive.ChangeModify: Modified, archive.ChangeAdd: Added, archive.ChangeDelete: Deleted}
	changes := make([]Change, len(all))
	for i, c := range all {
		changes[i] = Change{c.Path, kinds[c.Kind]}
	}
	return changes, nil
}

// ChangesSize measures in bytes what a layer has beyond its parent.
func (s *Store) ChangesSize(layer string) (int64, error) {
	n, err := s.lib.DiffSize("", layer)
	if err != nil {
		return -1, fmt.Errorf("measure layer %q: %w", layer, classify(err))
	}
	return n, nil
}

// MountPoint is where a container is mounted; "" when it isn't.
func (s *Store) MountPoint(id string) (string, error) {
	c, err := s.lib.Container(id)
	if err != nil {
		return "", fmt.Errorf("look up container %q: %w", id, classify(err))
	}
	l, err := s.lib.Layer(c.LayerID)
	if err != nil {
		return "", fmt.Errorf("look up layer %q: %w", c.LayerID, classify(err))
	}
	if l.MountCount == 0 {
		return "", nil
	}
	return l.MountPoint, nil
}

// LayerPlaces tells where the driver keeps the parts of a layer, by the
// driver's own words (UpperDir, LowerDir …).
func (s *Store) LayerPlaces(layer string) (map[string]string, error) {
	driver, err := s.lib.GraphDriver()
	if err != nil {
		return nil, fmt.Errorf("describe layer %q: %w", layer, err)
	}
	places, err := driver.Metadata(layer)
	if err != nil {
		return nil, fmt.Errorf("describe layer %q: %w", layer, err)
	}
	return places, nil
}

// DriverStatus is what the driver found out about itself and the file system
// it is on, in its own words.
func (s *Store) DriverStatus() (map[string]string, error) {
	driver, err := s.lib.GraphDriver()
	if err != nil {
		return nil, fmt.Errorf("describe the storage driver: %w", err)
	}
	status := map[string]string{}
	for _, kv := range driver.Status() {
		status[kv[0]] = kv[1]
	}
	return status, nil
}

// DriverOptions are the options that the driver was given.
func (s *Store) DriverOptions() []string { return s.lib.GraphOptions() }
