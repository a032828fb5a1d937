package engine

import (
	"fmt"
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
	all, err := e.askedMounts(req.Volumes, req.Mounts, req.Tmpfs)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, m := range all {
		seen[m.Destination] = true
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
		dst = path.Clean("/" + dst)
		if slices.Contains([]string{"/proc", "/dev", "/sys"}, dst) {
			continue // without the kernel's file systems nothing would run
		}
		if !seen[dst] {
			if req.ImageVolume == "tmpfs" {
				all = append(all, container.Mount{Type: "tmpfs", Source: "tmpfs", Destination: dst, Options: []string{"rprivate", "nosuid", "nodev", "tmpcopyup"}})
				continue
			}
			all = append(all, container.Mount{Type: "volume", Name: container.NewID(), Destination: dst, Anonymous: true, CopyUp: true, Options: []string{"rprivate", "rbind", "nosuid", "nodev"}})
		}
	}
	slices.SortFunc(all, func(a, b container.Mount) int { return strings.Compare(a.Destination, b.Destination) })
	return all, nil
}

// askedMounts reads -v, --mount and --tmpfs; no two may have one destination.
func (e *Engine) askedMounts(volumes, mounts, tmpfs []string) ([]container.Mount, error) {
	var all []container.Mount
	for i, v := range volumes {
		if slices.Contains(volumes[:i], v) {
			continue // said twice, meant once
		}
		m, err := parseVolume(v)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	for _, s := range mounts {
		some, err := parseMount(s)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	for _, s := range tmpfs {
		dst, opts, _ := strings.Cut(s, ":")
		m := container.Mount{Type: "tmpfs", Source: "tmpfs", Destination: path.Clean(dst)}
		if !path.IsAbs(dst) {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid container path %q, must be an absolute path", dst)
		}
		if err := m.SetOptions(tmpfsOptions(strings.Split(opts, ","))); err != nil {
			return nil, err
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
	return all, nil
}

// checkSource makes a bind mount's source absolute; it has to exist.
func (e *Engine) checkSource(m *container.Mount) error {
	if m.Type == "image" && m.Name == "" {
		image, err := e.lookupSingle(m.Source)
		if err != nil {
			return fmt.Errorf("creating image volume %q:%q: %w", m.Source, m.Destination, err)
		}
		m.Name, m.Source = m.Source, image.ID
		return nil
	}
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
