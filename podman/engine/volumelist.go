package engine

import (
	"context"
	"errors"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/volume"
	"github.com/podsuite/podsuite/shared/errdef"
)

// Volume is what inspect prints of a volume, with the reference's keys.
type Volume struct {
	Name        string
	Driver      string
	Mountpoint  string
	CreatedAt   time.Time
	Labels      map[string]string
	Scope       string
	Options     map[string]string
	UID         int  `json:",omitempty"`
	GID         int  `json:",omitempty"`
	Anonymous   bool `json:",omitempty"`
	MountCount  uint // containers that are up with it, and mounts on the host
	NeedsCopyUp bool `json:",omitempty"`
	NeedsChown  bool `json:",omitempty"`
	LockNumber  int
}

// CreateVolumeRequest makes a volume.
type CreateVolumeRequest struct {
	Name   string // "" makes one up
	Driver string // "" or local
	Labels []string
	Opts   []string // of the driver
	UID    *int64   // the data directory's owner
	GID    *int64
	Ignore bool // one that is there is as good
}

// CreateVolume makes a named volume.
func (e *Engine) CreateVolume(req CreateVolumeRequest) (volume.Volume, error) {
	v := volume.Volume{Name: req.Name, Labels: map[string]string{}}
	if v.Name == "" {
		v.Name, v.Anonymous = container.NewID(), true
	}
	if !container.ValidName(v.Name) {
		return v, errdef.Newf(errdef.ErrInvalid, "running volume create option: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument")
	}
	if path := e.Config.Engine.VolumePlugins[req.Driver]; path != "" {
		return v, errdef.Newf(errdef.ErrUnsupported, "volume %s: the plugin %s at %q of containers.conf can't be used: volumes have the driver local only", v.Name, req.Driver, path)
	}
	if req.Driver != "" && req.Driver != "local" {
		return v, errdef.Newf(errdef.ErrUnsupported, "volume %s uses volume plugin %s but it could not be retrieved: no volume plugin with name %s available: required plugin missing", v.Name, req.Driver, req.Driver)
	}
	for _, label := range req.Labels {
		key, value, _ := strings.Cut(label, "=")
		if key == "" {
			return v, errdef.Newf(errdef.ErrInvalid, "unable to process labels: invalid label format: %q", label)
		}
		v.Labels[key] = value
	}
	if err := v.SetOptions(req.Opts); err != nil {
		return v, err
	}
	for _, id := range []struct {
		asked *int64
		to    *int
	}{{req.UID, &v.UID}, {req.GID, &v.GID}} {
		if id.asked != nil {
			*id.to = int(*id.asked)
		}
	}
	made, err := e.Volumes().Create(v)
	if errors.Is(err, errdef.ErrConflict) && req.Ignore {
		return e.Volumes().Get(v.Name)
	}
	if err == nil {
		e.event(volumeEvent(made.Name, "create"))
	}
	return made, err
}

// LookupVolume finds a volume by its name or the beginning of it, if no
// other's begins so.
func (e *Engine) LookupVolume(name string) (volume.Volume, error) {
	v, err := e.Volumes().Get(name)
	if err == nil || !isNotFound(err) || name == "" {
		return v, err
	}
	all, lerr := e.Volumes().List()
	if lerr != nil {
		return v, lerr
	}
	var found []volume.Volume
	for _, one := range all {
		if strings.HasPrefix(one.Name, name) {
			found = append(found, one)
		}
	}
	switch len(found) {
	case 0:
		return v, err
	case 1:
		return found[0], nil
	}
	return v, errdef.Newf(errdef.ErrConflict, "more than one result for volume name %s: volume already exists", name)
}

// InspectVolume tells all of a volume.
func (e *Engine) InspectVolume(name string) (Volume, error) {
	v, err := e.LookupVolume(name)
	if err != nil {
		return Volume{}, err
	}
	users, err := e.volumeUsers()
	return e.describe(v, users), err
}

func (e *Engine) describe(v volume.Volume, users map[string][]string) Volume {
	d := Volume{Name: v.Name, Driver: v.Driver, Mountpoint: v.Mountpoint, CreatedAt: v.CreatedAt, Labels: v.Labels, Scope: "local", Options: v.Options,
		UID: v.UID, GID: v.GID, Anonymous: v.Anonymous, NeedsCopyUp: v.NeedsCopyUp, NeedsChown: v.NeedsCopyUp && v.UID == 0 && v.GID == 0}
	if holders, err := e.holders(v.Name); err == nil && v.NeedsMount() {
		d.MountCount = uint(len(holders))
		return d
	}
	for _, id := range users[v.Name] {
		if e.Running(id) {
			d.MountCount++
		}
	}
	return d
}

// volumeUsers lists, by volume, the IDs of the containers that mount it.
func (e *Engine) volumeUsers() (map[string][]string, error) {
	containers, err := e.Store.Containers()
	if err != nil {
		return nil, err
	}
	users := map[string][]string{}
	for _, c := range containers {
		if _, ours := summary(c); !ours {
			continue
		}
		config, err := e.configuration(c.ID)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, m := range config.Mounts {
			if m.Type == "volume" {
				users[m.Name] = append(users[m.Name], c.ID)
			}
		}
	}
	return users, nil
}

// ListVolumes lists the volumes that all filters keep, by name.
func (e *Engine) ListVolumes(filters []string) ([]Volume, error) {
	all, err := e.Volumes().List()
	if err != nil {
		return nil, err
	}
	users, err := e.volumeUsers()
	if err != nil {
		return nil, err
	}
	kept := []Volume{}
	tests := make([]func(*Volume) bool, len(filters))
	for i, text := range filters {
		if tests[i], err = e.volumeFilter(text, users); err != nil {
			return nil, err
		}
	}
	for _, v := range all {
		one := e.describe(v, users)
		if !slices.ContainsFunc(tests, func(keep func(*Volume) bool) bool { return !keep(&one) }) {
			kept = append(kept, one)
		}
	}
	return kept, nil
}

// volumeFilter reads KEY=VALUE or KEY!=VALUE.
func (e *Engine) volumeFilter(text string, users map[string][]string) (func(*Volume) bool, error) {
	key, value, _ := strings.Cut(text, "=")
	key, not := strings.CutSuffix(key, "!")
	keep, err := e.volumeTest(key, value, users)
	return func(v *Volume) bool { return keep(v) != not }, err
}

func (e *Engine) volumeTest(key, value string, users map[string][]string) (func(*Volume) bool, error) {
	switch key {
	case "name":
		return func(v *Volume) bool {
			ok, err := path.Match(value, v.Name)
			return err == nil && ok || strings.Contains(v.Name, value)
		}, nil
	case "driver":
		return func(v *Volume) bool { return v.Driver == value }, nil
	case "scope":
		return func(v *Volume) bool { return v.Scope == value }, nil
	case "label":
		name, want, hasValue := strings.Cut(value, "=")
		return func(v *Volume) bool { have, ok := v.Labels[name]; return ok && (!hasValue || have == want) }, nil
	case "opt":
		name, want, hasValue := strings.Cut(value, "=")
		return func(v *Volume) bool { have, ok := v.Options[name]; return ok && (!hasValue || have == want) }, nil
	case "until":
		limit, err := parseUntil(value)
		return func(v *Volume) bool { return v.CreatedAt.Before(limit) }, err
	case "since", "after":
		other, err := e.LookupVolume(value)
		return func(v *Volume) bool { return v.CreatedAt.After(other.CreatedAt) }, err
	case "dangling":
		want, err := strconv.ParseBool(value)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "%q is not a valid value for the \"dangling\" filter - must be true or false", value)
		}
		return func(v *Volume) bool { return (len(users[v.Name]) == 0) == want }, nil
	}
	return nil, errdef.Newf(errdef.ErrInvalid, "%q is an invalid volume filter", key)
}

// RemoveVolumesRequest says which volumes to remove.
type RemoveVolumesRequest struct {
	Names   []string
	All     bool
	Force   bool  // with the containers that use them; one that isn't there is no error
	Unused  bool  // pass over what came into use meanwhile, or went
	Timeout *uint // seconds that a container has to stop
}

// RemoveVolumes removes volumes one after the other and goes on after an
// error.
func (e *Engine) RemoveVolumes(ctx context.Context, req RemoveVolumesRequest) (removed []string, errs []error) {
	names := req.Names
	if req.All {
		all, err := e.Volumes().List()
		if err != nil {
			return nil, []error{err}
		}
		for _, v := range all {
			names = append(names, v.Name)
		}
	}
	for _, name := range names {
		v, err := e.LookupVolume(name)
		if err == nil {
			err = e.removeVolume(ctx, v.Name, req)
		}
		switch {
		case err == nil:
			removed = append(removed, name)
		case isNotFound(err) && (req.Force || req.All || req.Unused), errors.Is(err, errdef.ErrBusy) && req.Unused:
		case isNotFound(err):
			errs = append(errs, errdef.Newf(errdef.ErrNotFound, "no volume with name %q found: no such volume", name))
		default:
			errs = append(errs, err)
		}
	}
	return removed, errs
}

func (e *Engine) removeVolume(ctx context.Context, name string, req RemoveVolumesRequest) error {
	users, err := e.volumeUsers()
	if err != nil {
		return err
	}
	if in := users[name]; len(in) > 0 && !req.Force {
		return errdef.Newf(errdef.ErrBusy, "volume %s is being used by the following container(s): %s: volume is being used", name, strings.Join(in, ", "))
	}
	for _, id := range users[name] {
		if err := e.Remove(ctx, id, RemoveRequest{Force: true, Timeout: req.Timeout}); err != nil && !isNotFound(err) {
			return err
		}
	}
	if _, err := e.Volumes().Get(name); req.Force && isNotFound(err) {
		return nil // it went with its container
	}
	err = e.withVolume(name, func(v *volume.Volume) error {
		if holders, err := e.holders(v.Name); err != nil || len(holders) > 0 && !req.Force {
			return errors.Join(err, errdef.Newf(errdef.ErrBusy, "volume %s is mounted on the host: volume is being used", v.Name))
		}
		if err := e.Volumes().Remove(v.Name); err != nil {
			return err
		}
		return os.RemoveAll(e.holdersDir(v.Name))
	})
	if err == nil {
		e.event(volumeEvent(name, "remove"))
	}
	return err
}
