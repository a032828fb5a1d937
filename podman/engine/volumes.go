package engine

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
)

// mounts gathers what the request and the image mount; of two mounts with one
// destination the user's wins, and two of the user's are an error.
func (e *Engine) mounts(req *CreateRequest, imageVolumes map[string]struct{}) ([]container.Mount, error) {
	var all []container.Mount
	for _, v := range req.Volumes {
		m, err := parseVolume(v)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	for _, s := range req.Mounts {
		m, err := parseMount(s)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	for _, s := range req.Tmpfs {
		dst, opts, _ := strings.Cut(s, ":")
		m := container.Mount{Type: "tmpfs", Source: "tmpfs", Destination: path.Clean(dst), Options: []string{"rprivate", "nosuid", "nodev", "tmpcopyup"}}
		if !path.IsAbs(dst) {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid container path %q, must be an absolute path", dst)
		}
		if opts != "" {
			m.Options = append(m.Options, strings.Split(opts, ",")...)
		}
		all = append(all, m)
	}
	seen := map[string]bool{}
	for i := range all {
		if seen[all[i].Destination] {
			return nil, errdef.Newf(errdef.ErrInvalid, "%s: duplicate mount destination", all[i].Destination)
		}
		seen[all[i].Destination] = true
		if err := e.checkSource(&all[i]); err != nil {
			return nil, err
		}
	}
	others, err := e.volumesFrom(req.VolumesFrom)
	if err != nil {
		return nil, err
	}
	for _, m := range others {
		if !seen[m.Destination] {
			seen[m.Destination] = true
			all = append(all, m)
		}
	}
	switch req.ImageVolume {
	case "", "anonymous", "bind", "tmpfs":
	case "ignore":
		imageVolumes = nil
	default:
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid image volume mode %q required value: anonymous, tmpfs, ignore", req.ImageVolume)
	}
	for dst := range imageVolumes {
		if dst = path.Clean("/" + dst); !seen[dst] {
			if req.ImageVolume == "tmpfs" {
				all = append(all, container.Mount{Type: "tmpfs", Source: "tmpfs", Destination: dst, Options: []string{"rprivate", "nosuid", "nodev", "tmpcopyup"}})
				continue
			}
			all = append(all, container.Mount{Type: "volume", Name: container.NewID(), Destination: dst, Anonymous: true, CopyUp: true, Options: []string{"rprivate", "rbind"}})
		}
	}
	slices.SortFunc(all, func(a, b container.Mount) int { return strings.Compare(a.Destination, b.Destination) })
	return all, nil
}

// checkSource makes a bind mount's source absolute; it has to exist.
func (e *Engine) checkSource(m *container.Mount) error {
	if m.Type != "bind" {
		return nil
	}
	abs, err := filepath.Abs(m.Source)
	if err != nil {
		return err
	}
	m.Source = abs
	if _, err := os.Stat(abs); err != nil {
		if os.IsNotExist(err) {
			return errdef.Newf(errdef.ErrNotFound, "statfs %s: no such file or directory", abs)
		}
		return err
	}
	return nil
}

// parseVolume reads -v: [SOURCE-DIR|NAME:]DESTINATION[:OPTIONS].
func parseVolume(s string) (container.Mount, error) {
	parts := strings.Split(s, ":")
	m := container.Mount{CopyUp: true}
	switch {
	case len(parts) > 3 || s == "":
		return m, errdef.Newf(errdef.ErrInvalid, "incorrect volume format, should be [host-dir:]ctr-dir[:option]: %q", s)
	case len(parts) == 1:
		m.Type, m.Name, m.Anonymous, m.Destination = "volume", container.NewID(), true, s
	default:
		m.Source, m.Destination = parts[0], parts[1]
	}
	if m.Source == "" && len(parts) > 1 {
		return m, errdef.Newf(errdef.ErrInvalid, "host directory cannot be empty")
	}
	if !path.IsAbs(m.Destination) {
		return m, errdef.Newf(errdef.ErrInvalid, "invalid container path %q, must be an absolute path", m.Destination)
	}
	m.Destination = path.Clean(m.Destination)
	if m.Type == "" {
		m.Type = "bind"
		if !strings.HasPrefix(m.Source, "/") && !strings.HasPrefix(m.Source, ".") {
			m.Type, m.Name, m.Source = "volume", m.Source, ""
			if !container.ValidName(m.Name) {
				return m, errdef.Newf(errdef.ErrInvalid, "volume name %q: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument", m.Name)
			}
		}
	}
	var opts []string
	if len(parts) == 3 {
		opts = strings.Split(parts[2], ",")
	}
	return m, m.SetOptions(opts)
}

// parseMount reads --mount: type=TYPE,key=value,…
func parseMount(s string) (container.Mount, error) {
	m := container.Mount{Type: "volume", CopyUp: true}
	var opts []string
	for _, field := range strings.Split(s, ",") {
		key, value, hasValue := strings.Cut(field, "=")
		on := !hasValue || value == "true" || value == "1"
		switch key {
		case "type":
			m.Type = value
		case "source", "src":
			m.Source = value
		case "target", "destination", "dst":
			m.Destination = value
		case "ro", "readonly":
			opts = append(opts, map[bool]string{true: "ro", false: "rw"}[on])
		case "rw":
			opts = append(opts, map[bool]string{true: "rw", false: "ro"}[on])
		case "U", "chown":
			if on {
				opts = append(opts, "U")
			}
		case "relabel":
			label, ok := map[string]string{"shared": "z", "private": "Z"}[value]
			if !ok {
				return m, errdef.Newf(errdef.ErrInvalid, "relabel=%s: must be shared or private", value)
			}
			opts = append(opts, label)
		case "bind-propagation":
			opts = append(opts, value)
		case "tmpfs-size":
			opts = append(opts, "size="+value)
		case "tmpfs-mode":
			opts = append(opts, "mode="+value)
		default:
			return m, errdef.Newf(errdef.ErrInvalid, "%s: invalid mount option", key)
		}
	}
	if m.Destination == "" {
		return m, errdef.Newf(errdef.ErrInvalid, "must set volume destination")
	}
	if !path.IsAbs(m.Destination) {
		return m, errdef.Newf(errdef.ErrInvalid, "invalid container path %q, must be an absolute path", m.Destination)
	}
	m.Destination = path.Clean(m.Destination)
	switch m.Type {
	case "bind":
		if m.Source == "" {
			return m, errdef.Newf(errdef.ErrInvalid, "must set source volume")
		}
	case "volume":
		m.Name, m.Source = m.Source, ""
		if m.Name == "" {
			m.Name, m.Anonymous = container.NewID(), true
		}
	case "tmpfs":
		m.Source = "tmpfs"
		m.Options = []string{"nosuid", "nodev", "tmpcopyup"}
	default:
		return m, errdef.Newf(errdef.ErrInvalid, "invalid filesystem type %q", m.Type)
	}
	return m, m.SetOptions(opts)
}
