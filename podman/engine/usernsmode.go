package engine

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/userns"
)

// UserNSRequest asks for a container's user namespace.
type UserNSRequest struct {
	UserNS                 string   // a mode, with its options; "" is the configured one
	UIDMaps, GIDMaps       []string // [FLAGS]CONTAINER_ID:[@]FROM_ID[:SIZE], instead of a mode
	SubUIDName, SubGIDName string   // or whose ranges in /etc/subuid and /etc/subgid
}

func (r *UserNSRequest) mapped() bool {
	return len(r.UIDMaps)+len(r.GIDMaps) > 0 || r.SubUIDName != "" || r.SubGIDName != ""
}

// configured is the mode that counts where the user chose none.
func (r *UserNSRequest) configured(conf string) string {
	if r.UserNS != "" || r.mapped() {
		return r.UserNS
	}
	return first(os.Getenv("PODMAN_USERNS"), conf)
}

// setUserNS reads the user namespace's mode and maps. A user namespace that
// isn't the host's may decide who the process is.
func (e *Engine) setUserNS(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	r := &req.UserNSRequest
	if r.mapped() {
		if r.UserNS != "" {
			return errdef.Newf(errdef.ErrInvalid, "--userns and --uidmap/--gidmap/--subuidname/--subgidname are mutually exclusive")
		}
		maps, err := givenMaps(r)
		c.UserNS = container.UserNS{Mode: container.UserPrivate, Maps: maps}
		return err
	}
	mode, options, hasOptions := strings.Cut(r.UserNS, ":")
	unknown := errdef.Newf(errdef.ErrInvalid, "unrecognized namespace mode %s passed", r.UserNS)
	switch mode {
	case "", "host":
		if hasOptions {
			return unknown
		}
		return nil
	case "auto":
		return e.setAutoUserNS(c, req, options)
	case "keep-id":
		return setKeepID(c, req, options)
	case "nomap":
		if hasOptions {
			return unknown
		}
		return setNoMap(c)
	case "container":
		return e.joinUserNS(c, req, options)
	case "ns":
		maps, err := userns.MapsAt(options)
		c.UserNS = container.UserNS{Mode: r.UserNS, Maps: maps}
		return err
	case "private":
		return errdef.Newf(errdef.ErrInvalid, "must provide at least one UID or GID mapping to configure a user namespace")
	case "pod":
		return errdef.Newf(errdef.ErrInvalid, "cannot use pod namespace as container is not joining a pod or pod has no infra container: invalid argument")
	}
	return unknown
}

// givenMaps are the maps that the user wrote down or named.
func givenMaps(r *UserNSRequest) (userns.Maps, error) {
	var own userns.Maps
	var err error
	if own.UIDs, own.GIDs, err = userns.Mappings(); err != nil {
		return own, err
	}
	if r.SubUIDName != "" || r.SubGIDName != "" {
		if len(r.UIDMaps)+len(r.GIDMaps) > 0 {
			return own, errdef.Newf(errdef.ErrInvalid, "--subuidname and --subgidname take the place of --uidmap and --gidmap: leave one kind out")
		}
		return userns.SubIDs(first(r.SubUIDName, r.SubGIDName), first(r.SubGIDName, r.SubUIDName))
	}
	var base userns.Maps
	if userns.Rootless() {
		base = userns.Maps{UIDs: []userns.IDMap{{Size: userns.Available(own.UIDs)}}, GIDs: []userns.IDMap{{Size: userns.Available(own.GIDs)}}}
	}
	maps, err := userns.ParseMaps(r.UIDMaps, r.GIDMaps, own, base)
	if err != nil {
		return maps, err
	}
	if _, _, err := maps.Host(0, 0); err != nil {
		return maps, errdef.Newf(errdef.ErrInvalid, "container ID 0 cannot be mapped to a host ID: map it, too: the root of the user namespace makes the container")
	}
	return maps, nil
}

// setAutoUserNS reads the options of auto. The IDs are chosen by the store.
func (e *Engine) setAutoUserNS(c *container.Config, req *CreateRequest, options string) error {
	c.UserNS.Mode = container.UserAuto
	if n := e.Config.Containers.UserNSSize; n > 0 && n <= math.MaxInt32 {
		c.UserNS.Size = uint32(n)
	}
	var uids, gids []string
	for _, o := range splitOptions(options) {
		key, value, _ := strings.Cut(o, "=")
		switch key {
		case "size":
			if err := parseUint32(value, 10, &c.UserNS.Size); err != nil || c.UserNS.Size == 0 {
				return errdef.Newf(errdef.ErrInvalid, "--userns %s: size %q is not a number of IDs", req.UserNS, value)
			}
		case "uidmapping":
			uids = append(uids, value)
		case "gidmapping":
			gids = append(gids, value)
		default:
			return errdef.Newf(errdef.ErrInvalid, "unknown option specified: %q", key)
		}
	}
	var own userns.Maps
	var err error
	if own.UIDs, own.GIDs, err = userns.Mappings(); err != nil {
		return err
	}
	for _, x := range []struct {
		values []string
		to     *[]userns.IDMap
	}{{uids, &c.UserNS.Maps.UIDs}, {gids, &c.UserNS.Maps.GIDs}} {
		if len(x.values) == 0 {
			continue
		}
		maps, err := userns.ParseMaps(x.values, nil, own, userns.Maps{})
		if err != nil {
			return err
		}
		*x.to = maps.UIDs
	}
	// Numbers that the user names have to be among them.
	user, group, _ := strings.Cut(c.User, ":")
	for _, text := range append([]string{user, group}, c.Groups...) {
		if n, err := strconv.ParseUint(text, 10, 31); err == nil {
			c.UserNS.Least = max(c.UserNS.Least, uint32(n)+1)
		}
	}
	return nil
}

func splitOptions(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// setKeepID gives the user the same IDs inside as outside, or those of the
// options, and makes them the process's user.
func setKeepID(c *container.Config, req *CreateRequest, options string) error {
	uid, gid, size := uint32(userns.RealUID()), uint32(userns.RealGID()), uint32(0)
	for _, o := range splitOptions(options) {
		key, value, _ := strings.Cut(o, "=")
		to, known := map[string]*uint32{"uid": &uid, "gid": &gid, "size": &size}[key]
		if !known {
			return errdef.Newf(errdef.ErrInvalid, "unknown option specified: %q", key)
		}
		if err := parseUint32(value, 10, to); err != nil || *to == math.MaxUint32 || key == "size" && *to == 0 {
			return errdef.Newf(errdef.ErrInvalid, "--userns %s: %s %q is not a number that an ID can have", req.UserNS, key, value)
		}
	}
	c.UserNS.Mode, c.UserNS.User = container.UserPrivate, fmt.Sprintf("%d:%d", uid, gid)
	if req.User == "" {
		c.User = c.UserNS.User
	}
	if !userns.Rootless() {
		if size > 0 {
			return errdef.Newf(errdef.ErrInvalid, "cannot set max size for user namespace when not running rootless")
		}
		all := []userns.IDMap{{Size: math.MaxUint32}}
		c.UserNS.Maps = userns.Maps{UIDs: all, GIDs: all}
		return nil
	}
	uids, gids, err := userns.Mappings()
	if err != nil {
		return err
	}
	c.UserNS.Maps = userns.Maps{UIDs: userns.KeepID(int(uid), int(size), userns.Available(uids)), GIDs: userns.KeepID(int(gid), int(size), userns.Available(gids))}
	return needSubordinate(c, "keep-id")
}

// setNoMap leaves the user out of the container.
func setNoMap(c *container.Config) error {
	if !userns.Rootless() {
		return errdef.Newf(errdef.ErrInvalid, "nomap is only supported in rootless mode")
	}
	uids, gids, err := userns.Mappings()
	if err != nil {
		return err
	}
	others := func(maps []userns.IDMap) (m []userns.IDMap) {
		if n := userns.Available(maps) - 1; n > 0 {
			m = append(m, userns.IDMap{HostID: 1, Size: n})
		}
		return m
	}
	c.UserNS = container.UserNS{Mode: container.UserPrivate, Maps: userns.Maps{UIDs: others(uids), GIDs: others(gids)}}
	return needSubordinate(c, "nomap")
}

// needSubordinate refuses maps without root, which is what is left to a user
// who has one ID alone.
func needSubordinate(c *container.Config, mode string) error {
	if _, _, err := c.UserNS.Maps.Host(0, 0); err != nil || c.UserNS.Maps.Empty() {
		return errdef.Newf(errdef.ErrUnavailable, "--userns %s needs more than one ID: get ranges in /etc/subuid and /etc/subgid (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER), then podman system migrate", mode)
	}
	return nil
}

// joinUserNS puts the container into another's user namespace.
func (e *Engine) joinUserNS(c *container.Config, req *CreateRequest, name string) error {
	other, err := e.Lookup(name)
	if err != nil {
		return fmt.Errorf("looking up container to share user namespace with: %w", err)
	}
	config, err := e.configuration(other.ID)
	if err != nil {
		return err
	}
	if config.Infra && config.UserNS.User != "" && req.User == "" {
		c.User = config.UserNS.User
	}
	if config.UserNS.Mode == "" {
		return nil // both are in the host's
	}
	maps, err := e.idMaps(config)
	c.UserNS = container.UserNS{Mode: "container:" + other.ID, Maps: maps}
	return err
}

// idMaps are the maps of the container's user namespace, as seen from this
// process's; none for the host's.
func (e *Engine) idMaps(c *container.Config) (userns.Maps, error) {
	if c.UserNS.Mode != container.UserAuto {
		return c.UserNS.Maps, nil
	}
	s, err := e.Store.Container(c.ID)
	return s.IDMaps, err
}

// hostRoot is who the container's root is on the host.
func (e *Engine) hostRoot(c *container.Config) (uid, gid int, err error) {
	maps, err := e.idMaps(c)
	if err != nil {
		return 0, 0, err
	}
	return maps.Host(0, 0)
}

// giveToRoot makes a file on the host the container's root's.
func (e *Engine) giveToRoot(c *container.Config, path string) error {
	if c.UserNS.Mode == "" {
		return nil
	}
	return e.chownAs(c, path, 0, 0)
}

// chownAs makes a file on the host a user's of the container.
func (e *Engine) chownAs(c *container.Config, path string, uid, gid int) error {
	maps, err := e.idMaps(c)
	if err == nil {
		uid, gid, err = maps.Host(uid, gid)
	}
	if err == nil {
		err = os.Chown(path, uid, gid)
	}
	return err
}

// mkdirAs makes a directory in the container's root for a user inside.
func (e *Engine) mkdirAs(c *container.Config, root, dir string, uid, gid int) error {
	maps, err := e.idMaps(c)
	if err != nil {
		return err
	}
	if uid, gid, err = maps.Host(uid, gid); err != nil {
		return err
	}
	return rootfs.MkdirAll(root, dir, 0o755, uid, gid)
}
