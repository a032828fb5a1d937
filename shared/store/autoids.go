package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"go.podman.io/storage"
	"go.podman.io/storage/types"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/userns"
)

// AutoIDs asks for a range of IDs that no other container has. It is chosen
// under the store's lock from what its containers have, so it is free again
// with the container, and none is lost with a process.
type AutoIDs struct {
	Size  uint32      // how many; 0 is what the image needs, within the configured bounds
	Least uint32      // of those, when Size is 0: what else than the image is needed
	Maps  userns.Maps // that are to be there as well
}

// Bounds of the sizes that are chosen, unless the store's options say others.
const (
	autoMin = 1024
	autoMax = 65536
)

// autoUser is whose ranges of /etc/subuid and /etc/subgid root gives out.
func (s *Store) autoUser() string {
	if s.opts.AutoUser != "" {
		return s.opts.AutoUser
	}
	return storage.RootAutoUserNsUser
}

// autoOptions turns the request into the library's.
func (s *Store) autoOptions(image string, a *AutoIDs) (types.IDMappingOptions, error) {
	o := types.IDMappingOptions{AutoUserNs: true, AutoUserNsOpts: types.AutoUserNsOptions{Size: a.Size,
		AdditionalUIDMappings: libMaps(a.Maps.UIDs), AdditionalGIDMappings: libMaps(a.Maps.GIDs)}}
	if !userns.Rootless() {
		if _, err := userns.SubIDs(s.autoUser(), s.autoUser()); err != nil {
			return o, errdef.Newf(errdef.ErrUnavailable, "choose IDs for the user namespace: %w: add a range there, such as %q", err, s.autoUser()+":2147483648:1073741824")
		}
	}
	if a.Size == 0 {
		size, err := s.autoSize(image, a.Least)
		if err != nil {
			return o, err
		}
		o.AutoUserNsOpts.Size = size
	}
	return o, nil
}

// autoSize is how many IDs a container of the image needs.
func (s *Store) autoSize(image string, least uint32) (uint32, error) {
	size, most := max(s.opts.AutoMinSize, least), s.opts.AutoMaxSize
	if s.opts.AutoMinSize == 0 {
		size = max(autoMin, least)
	}
	if most == 0 {
		most = autoMax
	}
	if image != "" {
		used, err := s.usedIDs(image)
		if err != nil {
			return 0, err
		}
		size = max(size, used)
	}
	if size > most {
		return 0, errdef.Newf(errdef.ErrInvalid, "the container needs a user namespace with size %d that is bigger than the maximum value allowed with userns=auto %d: ask for auto:size=%d, or raise auto-userns-max-size in storage.conf", size, most, size)
	}
	return size, nil
}

// usedIDs is one more than the highest ID that the image's files belong to or
// that its user database names. Layers are looked into where they lie: to
// mount the image for it would take longer than all the rest.
func (s *Store) usedIDs(image string) (uint32, error) {
	img, err := s.lib.Image(image)
	if err != nil {
		return 0, classify(err)
	}
	var used uint32
	missing := map[string]bool{"/etc/passwd": true, "/etc/group": true}
	for id := img.TopLayer; id != ""; {
		l, err := s.lib.Layer(id)
		if err != nil {
			return 0, classify(err)
		}
		for _, owner := range append(append([]uint32(nil), l.UIDs...), l.GIDs...) {
			if owner != userns.Nobody {
				used = max(used, owner+1)
			}
		}
		dir, err := s.lib.DifferTarget(id)
		for file := range missing {
			if err != nil {
				break // not in directories of layers: the owners have to do
			}
			highest, there := layerIDs(dir, file)
			if there {
				delete(missing, file)
				used = max(used, uint32(highest)+1)
			}
		}
		id = l.Parent
	}
	return used, nil
}

// layerIDs reads the file of one layer, if the layer has it, or says that it is
// gone.
func layerIDs(dir, file string) (highest int, there bool) {
	info, err := rootfs.Lstat(dir, file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false
	}
	if err != nil || info.Mode()&os.ModeDevice != 0 {
		return 0, true // a mark of the removal, or nothing that can be read
	}
	highest, err = rootfs.HighestID(dir, file)
	return highest, err == nil
}

// exhausted says what to do when there are not enough IDs left.
func (s *Store) exhausted(err error, a *AutoIDs) error {
	if a == nil || !strings.Contains(err.Error(), "not enough unused IDs") {
		return err
	}
	hint := fmt.Sprintf("give user %q larger ranges in /etc/subuid and /etc/subgid", s.autoUser())
	if userns.Rootless() {
		hint = "get larger ranges in /etc/subuid and /etc/subgid, then podman system migrate"
	}
	return errdef.Newf(errdef.ErrUnavailable, "creating container storage: not enough unused IDs in user namespace: remove containers that have some, ask for fewer with auto:size=N, or %s", hint)
}
