package cdi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"go.yaml.in/yaml/v3"
	cdi "tags.cncf.io/container-device-interface/specs-go"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

// maxFile bounds a file, in bytes.
const maxFile = 4 << 20

// IsName tells names of such devices, "vendor.com/class=name", from paths.
func IsName(s string) bool {
	kind, name, ok := strings.Cut(s, "=")
	vendor, class, hasClass := strings.Cut(kind, "/")
	word := func(s, more string) bool {
		return s != "" && strings.IndexFunc(s, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(more, r)
		}) < 0
	}
	return ok && hasClass && word(vendor, "_-.") && word(class, "_-.") && word(name, "_-.:")
}

// Has tells whether the files have the device.
func Has(dirs []string, name string) (bool, error) {
	files, err := read(dirs)
	if err != nil {
		return false, err
	}
	_, device := find(files, name)
	return device != nil, nil
}

// Add gives a container the devices. Of two files that have a device, the one
// in the later directory counts.
func Add(spec *specs.Spec, dirs, devices []string) error {
	if len(devices) == 0 {
		return nil
	}
	files, err := read(dirs)
	if err != nil {
		return err
	}
	var missing []string
	edited := map[*cdi.Spec]bool{}
	for _, name := range devices {
		file, device := find(files, name)
		if device == nil {
			missing = append(missing, name)
			continue
		}
		if !edited[file] {
			edited[file] = true
			if err := edit(spec, &file.ContainerEdits); err != nil {
				return fmt.Errorf("add device %q: %w", name, err)
			}
		}
		if err := edit(spec, &device.ContainerEdits); err != nil {
			return fmt.Errorf("add device %q: %w", name, err)
		}
	}
	if len(missing) > 0 {
		return errdef.Newf(errdef.ErrNotFound, "setting up CDI devices: unresolvable CDI devices %s: not in the files of %s", strings.Join(missing, ", "), strings.Join(dirs, ", "))
	}
	return nil
}

func find(files []*cdi.Spec, name string) (*cdi.Spec, *cdi.Device) {
	kind, name, _ := strings.Cut(name, "=")
	for _, file := range slices.Backward(files) {
		if file.Kind != kind {
			continue
		}
		for i := range file.Devices {
			if file.Devices[i].Name == name {
				return file, &file.Devices[i]
			}
		}
	}
	return nil, nil
}

// read reads all files, in the order of the directories and their names.
func read(dirs []string) (files []*cdi.Spec, err error) {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read device files: %w", err)
		}
		for _, entry := range entries {
			if ext := filepath.Ext(entry.Name()); entry.IsDir() || ext != ".json" && ext != ".yaml" {
				continue
			}
			path := filepath.Join(dir, entry.Name())
			file, err := readFile(path)
			if err != nil {
				return nil, fmt.Errorf("read device file %q: %w", path, err)
			}
			files = append(files, file)
		}
	}
	return files, nil
}

func readFile(path string) (*cdi.Spec, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errdef.Newf(errdef.ErrInvalid, "not a regular file")
	}
	if info.Size() > maxFile {
		return nil, errdef.Newf(errdef.ErrInvalid, "larger than %d bytes", maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file := new(cdi.Spec)
	decode := yaml.Unmarshal
	if filepath.Ext(path) == ".json" {
		decode = json.Unmarshal // keys in any case, as the interface's own module has it
	}
	if err := decode(data, file); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "%w", err)
	}
	if !strings.HasPrefix(file.Version, "0.") && !strings.HasPrefix(file.Version, "1.") {
		return nil, errdef.Newf(errdef.ErrUnsupported, "unknown version %q", file.Version)
	}
	return file, nil
}

// edit carries out one list of edits.
func edit(spec *specs.Spec, e *cdi.ContainerEdits) error {
	if len(e.NetDevices) > 0 {
		return errdef.Newf(errdef.ErrUnsupported, "network devices are not supported")
	}
	if slices.Contains(e.DeviceNodes, nil) || slices.Contains(e.Mounts, nil) || slices.Contains(e.Hooks, nil) {
		return errdef.Newf(errdef.ErrInvalid, "a device node, mount or hook of its file is null")
	}
	for _, kv := range e.Env {
		name, _, _ := strings.Cut(kv, "=")
		spec.Process.Env = append(slices.DeleteFunc(spec.Process.Env, func(have string) bool { return strings.HasPrefix(have, name+"=") }), kv)
	}
	for _, d := range e.DeviceNodes {
		if err := addNode(spec, d); err != nil {
			return err
		}
	}
	for _, m := range e.Mounts {
		kind := m.Type
		if kind == "" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind") {
			kind = "bind"
		}
		spec.Mounts = append(slices.DeleteFunc(spec.Mounts, func(have specs.Mount) bool { return have.Destination == m.ContainerPath }),
			specs.Mount{Destination: m.ContainerPath, Type: kind, Source: m.HostPath, Options: m.Options})
	}
	for _, h := range e.Hooks {
		if err := runtime.AddHook(spec, h.HookName, specs.Hook{Path: h.Path, Args: h.Args, Env: h.Env, Timeout: h.Timeout}); err != nil {
			return err
		}
	}
	for _, gid := range e.AdditionalGIDs {
		if !slices.Contains(spec.Process.User.AdditionalGids, gid) {
			spec.Process.User.AdditionalGids = append(spec.Process.User.AdditionalGids, gid)
		}
	}
	if r := e.IntelRdt; r != nil {
		spec.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: r.ClosID, L3CacheSchema: r.L3CacheSchema, MemBwSchema: r.MemBwSchema, Schemata: r.Schemata}
	}
	return nil
}

// addNode adds a device node; what the file doesn't say of it is as the host's.
func addNode(spec *specs.Spec, d *cdi.DeviceNode) error {
	node := specs.LinuxDevice{Path: d.Path, Type: d.Type, Major: d.Major, Minor: d.Minor, FileMode: d.FileMode, UID: d.UID, GID: d.GID}
	if node.Type == "" || node.Major == 0 && node.Type != "p" {
		path := d.HostPath
		if path == "" {
			path = d.Path
		}
		host, err := runtime.HostDevice(path)
		if err != nil {
			return err
		}
		node.Type, node.Major, node.Minor = host.Type, host.Major, host.Minor
		if node.FileMode == nil {
			node.FileMode = host.FileMode
		}
	}
	access := d.Permissions
	if access == "" {
		access = "rwm"
	}
	spec.Linux.Devices = append(slices.DeleteFunc(spec.Linux.Devices, func(have specs.LinuxDevice) bool { return have.Path == node.Path }), node)
	spec.Linux.Resources.Devices = append(spec.Linux.Resources.Devices,
		specs.LinuxDeviceCgroup{Allow: true, Type: node.Type, Major: &node.Major, Minor: &node.Minor, Access: access})
	return nil
}
