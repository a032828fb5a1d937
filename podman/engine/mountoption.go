package engine

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
)

// mountTypes are the types of --mount, with the keys of each beside those of
// all: type, source and destination.
func mountTypes() map[string]string {
	const flags = " ro readonly rw dev nodev exec noexec suid nosuid "
	const bind = flags + "U chown relabel bind-propagation idmap z Z consistency private rprivate shared rshared slave rslave unbindable runbindable "
	return map[string]string{
		"bind": bind + "bind-nonrecursive rbind bind ", "glob": bind, "volume": bind + "subpath volume-subpath ",
		"tmpfs": flags + "U chown tmpfs-size tmpfs-mode tmpcopyup notmpcopyup ", "ramfs": flags,
		"image": " rw readwrite subpath ", "devpts": " uid gid mode max ",
	}
}

// parseMount reads --mount: type=TYPE,key=value,… A glob stands for several.
func parseMount(s string) ([]container.Mount, error) {
	m := container.Mount{Type: "volume", CopyUp: true}
	fields := strings.Split(s, ",")
	for _, field := range fields {
		if kind, ok := strings.CutPrefix(field, "type="); ok {
			m.Type = kind
		}
	}
	keys, ok := mountTypes()[m.Type]
	if !ok {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid filesystem type %q", m.Type)
	}
	var opts []string
	for _, field := range fields {
		key, value, hasValue := strings.Cut(field, "=")
		switch key {
		case "type":
		case "source", "src":
			if m.Type == "tmpfs" || m.Type == "ramfs" || m.Type == "devpts" {
				return nil, errdef.Newf(errdef.ErrInvalid, "%q option not supported for %q mount types", key, m.Type)
			}
			m.Source = value
		case "target", "destination", "dst":
			m.Destination = value
		case "subpath", "volume-subpath":
			if m.Type != "volume" && m.Type != "image" {
				return nil, errdef.Newf(errdef.ErrInvalid, "cannot set option %q on non-volume mounts", key)
			}
			m.SubPath = value
		default:
			if !strings.Contains(keys, " "+key+" ") {
				return nil, errdef.Newf(errdef.ErrInvalid, "%s: invalid mount option", key)
			}
			o, err := mountOption(key, value, hasValue)
			if err != nil {
				return nil, err
			}
			opts = append(opts, o)
		}
	}
	return finishMount(&m, opts)
}

// mountOption gives a key of --mount the name that it has among a mount's
// options; "" for what is the default.
func mountOption(key, value string, hasValue bool) (string, error) {
	switch key {
	case "relabel", "bind-propagation", "tmpfs-size", "tmpfs-mode", "uid", "gid", "mode", "max":
		return valuedOption(key, value)
	case "consistency":
		return "", nil // it means something on other systems only
	}
	on := !hasValue || value == "true" || value == "1"
	switch {
	case on, value == "false", value == "0":
	case key == "idmap":
		return "", errdef.Newf(errdef.ErrUnsupported, "idmap=%s: maps of a mount's own are not supported: idmap alone takes those of the container's user namespace", value)
	default:
		return "", errdef.Newf(errdef.ErrInvalid, "%s=%s: want true or false", key, value)
	}
	switch key {
	case "ro", "readonly":
		return map[bool]string{true: "ro", false: "rw"}[on], nil
	case "rw", "readwrite":
		return map[bool]string{true: "rw", false: "ro"}[on], nil
	case "bind-nonrecursive":
		return map[bool]string{true: "bind", false: "rbind"}[on], nil
	case "dev", "exec", "suid":
		return map[bool]string{true: "", false: "no"}[on] + key, nil
	case "chown":
		key = "U"
	}
	if !on {
		return "", nil
	}
	return key, nil
}

// valuedOption is mountOption for keys that mean nothing without a value.
func valuedOption(key, value string) (string, error) {
	if value == "" {
		return "", errdef.Newf(errdef.ErrInvalid, "%s needs a value", key)
	}
	switch key {
	case "relabel":
		label, ok := map[string]string{"shared": "z", "private": "Z"}[value]
		if !ok {
			return "", errdef.Newf(errdef.ErrInvalid, "relabel=%s: must be shared or private", value)
		}
		return label, nil
	case "bind-propagation":
		return value, nil
	}
	return strings.TrimPrefix(key, "tmpfs-") + "=" + value, nil
}

// finishMount checks the mount and adds the defaults of its type.
func finishMount(m *container.Mount, opts []string) ([]container.Mount, error) {
	if m.Type == "glob" {
		return globMounts(m, opts)
	}
	if m.Destination == "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "must set volume destination")
	}
	if !path.IsAbs(m.Destination) {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid container path %q, must be an absolute path", m.Destination)
	}
	m.Destination = path.Clean(m.Destination)
	switch m.Type {
	case "bind":
		if m.Source == "" {
			return nil, errdef.Newf(errdef.ErrInvalid, "must set source volume")
		}
	case "image":
		if m.Source == "" {
			return nil, errdef.Newf(errdef.ErrInvalid, "must set source and destination for image volume")
		}
		if !slices.Contains(opts, "rw") {
			opts = []string{"ro"}
		}
	case "volume":
		m.Name, m.Source = m.Source, ""
		if m.Name == "" {
			m.Name, m.Anonymous = container.NewID(), true
		} else if !container.ValidName(m.Name) {
			return nil, errdef.Newf(errdef.ErrInvalid, "volume name %q: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument", m.Name)
		}
	case "tmpfs":
		m.Source, opts = "tmpfs", tmpfsOptions(opts)
	case "ramfs", "devpts":
		m.Source = m.Type
	}
	if err := m.SetOptions(opts); err != nil {
		return nil, err
	}
	return []container.Mount{*m}, nil
}

// tmpfsOptions adds what every tmpfs has unless the user says otherwise.
func tmpfsOptions(opts []string) []string {
	opts = slices.DeleteFunc(opts, func(o string) bool { return o == "" })
	for _, o := range []struct{ have, not string }{{"nosuid", "suid"}, {"nodev", "dev"}, {"tmpcopyup", "notmpcopyup"}} {
		if !slices.Contains(opts, o.have) && !slices.Contains(opts, o.not) {
			opts = append(opts, o.have)
		}
	}
	if !slices.ContainsFunc(opts, func(o string) bool {
		return strings.HasSuffix(o, "private") || strings.HasSuffix(o, "shared") || strings.HasSuffix(o, "slave")
	}) {
		opts = append(opts, "rprivate")
	}
	return opts
}

// globMounts makes a bind mount of each file that the pattern finds: in the
// destination, or where it is on the host.
func globMounts(m *container.Mount, opts []string) ([]container.Mount, error) {
	found, err := filepath.Glob(m.Source)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "pattern %q: %w", m.Source, err)
	}
	if len(found) == 0 {
		return nil, errdef.Newf(errdef.ErrNotFound, "no file paths matching glob %q", m.Source)
	}
	var all []container.Mount
	for _, file := range found {
		if file, err = filepath.Abs(file); err != nil {
			return nil, err
		}
		one := container.Mount{Type: "bind", Source: file, Destination: file}
		if m.Destination != "" {
			one.Destination = path.Join(m.Destination, filepath.Base(file))
		}
		some, err := finishMount(&one, slices.Clone(opts))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}
