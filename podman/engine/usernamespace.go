package engine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/userns"
)

// ownUserNS is where a user namespace of the container's own is bound; "" when
// it has none.
func (e *Engine) ownUserNS(c *container.Config) string {
	if c.UserNS.Mode == container.UserAuto || c.UserNS.Mode == container.UserPrivate {
		return filepath.Join(e.runDir("userns"), c.ID)
	}
	return ""
}

// userNS is the path of the container's user namespace; "" is the host's.
func (e *Engine) userNS(c *container.Config) (string, error) {
	if other, ok := strings.CutPrefix(c.UserNS.Mode, "container:"); ok {
		return e.namespaceOf(other, "user")
	}
	if path, ok := strings.CutPrefix(c.UserNS.Mode, "ns:"); ok {
		return path, nil
	}
	return e.ownUserNS(c), nil
}

// makeNamespaces makes the container's own user and network namespaces, and
// binds them. A network namespace belongs to the container's user namespace, so
// that its root may use low ports and settings of the network.
func (e *Engine) makeNamespaces(c *container.Config) error {
	net := filepath.Join(e.runDir("netns"), c.ID)
	if e.nsPath(c) != net {
		net = ""
	} else if err := mkdirPrivate(filepath.Dir(net)); err != nil {
		return err
	}
	if c.UserNS.Mode == "" {
		if net == "" {
			return nil
		}
		return network.NewNS(net)
	}
	n := userns.Namespaces{User: e.ownUserNS(c), Net: net}
	var err error
	if n.User == "" {
		if n.Join, err = e.userNS(c); err == nil && strings.HasPrefix(c.UserNS.Mode, "ns:") {
			err = sameMaps(n.Join, c.UserNS.Maps)
		}
		if err != nil || net == "" {
			return err
		}
	} else if n.Maps, err = e.idMaps(c); err != nil {
		return err
	}
	return userns.Make(n)
}

// sameMaps refuses a user namespace that took the place of the one whose maps
// the container was created with, as where the process in its path has ended
// and another has its number: files would belong to IDs that aren't there.
func sameMaps(path string, want userns.Maps) error {
	have, err := userns.MapsAt(path)
	if err == nil && !(slices.Equal(have.UIDs, want.UIDs) && slices.Equal(have.GIDs, want.GIDs)) {
		err = errdef.Newf(errdef.ErrConflict, "user namespace %q maps other IDs than when the container was created: create the container anew", path)
	}
	return err
}

// setUserNamespace puts the user namespace into the specification.
func (e *Engine) setUserNamespace(c *container.Config, spec *specs.Spec) error {
	path, err := e.userNS(c)
	if err != nil || path == "" {
		return err
	}
	maps, err := e.idMaps(c)
	if err != nil {
		return err
	}
	runtime.SetNamespace(spec, specs.UserNamespace, path)
	spec.Linux.UIDMappings, spec.Linux.GIDMappings = specMaps(maps.UIDs), specMaps(maps.GIDs)
	return nil
}

func specMaps(in []userns.IDMap) []specs.LinuxIDMapping {
	var out []specs.LinuxIDMapping
	for _, m := range in {
		out = append(out, specs.LinuxIDMapping{ContainerID: uint32(m.ContainerID), HostID: uint32(m.HostID), Size: uint32(m.Size)})
	}
	return out
}

// userNSInfo tells of the user namespace as inspect shows it: auto by its maps
// alone.
func (e *Engine) userNSInfo(c *container.Config) (mode string, info *IDMapsInfo) {
	if c.UserNS.Mode == "" {
		return "", nil
	}
	if mode = c.UserNS.Mode; mode == container.UserAuto {
		mode = ""
	}
	maps, err := e.idMaps(c)
	if err != nil || maps.Empty() {
		return mode, nil
	}
	texts := func(in []userns.IDMap) (out []string) {
		for _, m := range in {
			out = append(out, fmt.Sprintf("%d:%d:%d", m.ContainerID, m.HostID, m.Size))
		}
		return out
	}
	return mode, &IDMapsInfo{texts(maps.UIDs), texts(maps.GIDs)}
}

// checkMapped refuses a user whom the container's user namespace lacks.
func (e *Engine) checkMapped(c *container.Config, u *processUser) error {
	maps, err := e.idMaps(c)
	if err == nil {
		_, _, err = maps.Host(int(u.UID), int(u.GID))
	}
	return err
}

// lacksGroup tells whether a group is missing in the container's user namespace.
func (e *Engine) lacksGroup(c *container.Config, gid int) bool {
	maps, err := e.idMaps(c)
	if err == nil {
		_, _, err = userns.Maps{GIDs: maps.GIDs}.Host(0, gid)
	}
	return err != nil
}
