package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.podman.io/storage"
)

// CheckOptions say how closely to look.
type CheckOptions struct {
	Quick  bool           // leave out what takes long
	MaxAge *time.Duration // layers that nobody uses are damage when they are older; nil is a day
}

// Damage is what is wrong in a store.
type Damage struct {
	Problems []string // "image ID: why", sorted
	report   storage.CheckReport
}

// Check looks for damaged layers, images and containers.
func (s *Store) Check(o CheckOptions) (*Damage, error) {
	options := storage.CheckEverything()
	if o.Quick {
		options = storage.CheckMost()
	}
	options.LayerUnreferencedMaximumAge = o.MaxAge
	report, err := s.lib.Check(options)
	if err != nil {
		return nil, fmt.Errorf("check the store: %w", err)
	}
	d := &Damage{report: report}
	for _, kind := range []struct {
		name string
		of   map[string][]error
	}{{"layer", report.Layers}, {"read-only layer", report.ROLayers}, {"image", report.Images}, {"read-only image", report.ROImages}, {"container", report.Containers}} {
		for _, id := range slices.Sorted(maps.Keys(kind.of)) {
			for _, err := range kind.of[id] {
				d.Problems = append(d.Problems, fmt.Sprintf("damage detected in %s %s: %v", kind.name, id, err))
			}
		}
	}
	return d, nil
}

// Repair removes what is damaged; containers only with force.
func (s *Store) Repair(d *Damage, force bool) error {
	return errors.Join(s.lib.Repair(d.report, &storage.RepairOptions{RemoveContainers: force})...)
}

// ImageUsage is the size of images together, in bytes: each layer counts
// once. shared are the layers of more than one image.
func (s *Store) ImageUsage() (total int64, byImage map[string]ImageLayers, err error) {
	images, err := s.lib.Images()
	if err != nil {
		return 0, nil, fmt.Errorf("list images: %w", classify(err))
	}
	uses, sizes := map[string]int{}, map[string]int64{}
	chains := map[string][]string{}
	for i := range images {
		for id := images[i].TopLayer; id != ""; {
			l, err := s.lib.Layer(id)
			if err != nil {
				break // an image that lacks a layer takes up what it has
			}
			uses[id]++
			if _, known := sizes[id]; !known {
				sizes[id] = max(l.UncompressedSize, 0)
				total += sizes[id]
			}
			chains[images[i].ID] = append(chains[images[i].ID], id)
			id = l.Parent
		}
	}
	byImage = map[string]ImageLayers{}
	for i := range images {
		var n ImageLayers
		for _, id := range chains[images[i].ID] {
			if uses[id] > 1 {
				n.Shared += sizes[id]
			} else {
				n.Unique += sizes[id]
			}
		}
		byImage[images[i].ID] = n
	}
	return total, byImage, nil
}

// ImageLayers are the sizes of an image's layers, in bytes.
type ImageLayers struct {
	Shared int64 // with other images
	Unique int64
}
