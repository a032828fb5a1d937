package build

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
)

// hostVolume is a part of the host that RUN sees.
type hostVolume struct {
	source, target string
	options        []string // of the mount
	overlay        bool     // what is written goes when the step ends
	chown          bool     // the process's user becomes the owner
}

// parseVolume reads "host:container[:options]".
func parseVolume(text string) (hostVolume, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return hostVolume{}, errdef.Newf(errdef.ErrInvalid, "incorrect volume format %q, should be host-dir:ctr-dir[:option]", text)
	}
	v := hostVolume{source: parts[0], target: path.Clean(parts[1]), options: []string{"rbind"}}
	switch {
	case !filepath.IsAbs(v.source):
		return v, errdef.Newf(errdef.ErrInvalid, "invalid host path, must be an absolute path %q", v.source)
	case !path.IsAbs(v.target):
		return v, errdef.Newf(errdef.ErrInvalid, "invalid container path %q, must be an absolute path", v.target)
	}
	if _, err := os.Stat(v.source); err != nil {
		return v, errdef.As(errdef.ErrNotFound, fmt.Errorf("validating volumes: %w", lastError(err, "faccessat "+v.source)))
	}
	propagation := "rprivate"
	if len(parts) == 3 {
		for _, o := range strings.Split(parts[2], ",") {
			switch o {
			case "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec":
				v.options = append(v.options, o)
			case "private", "rprivate", "shared", "rshared", "slave", "rslave":
				propagation = o
			case "O":
				v.overlay = true
			case "U":
				v.chown = true
			case "z", "Z", "": // labels are for kernels that have them
			default:
				return v, errdef.Newf(errdef.ErrInvalid, "invalid mount option %q of volume %q", o, text)
			}
		}
	}
	v.options = append(v.options, propagation)
	return v, nil
}

// volumes mounts what the request shows of the host, and hides the image's
// volumes behind directories that go with the step where that is asked for.
func (r *runStep) volumes(spec *specs.Spec, bundle string) error {
	if r.s.b.req.Run.KeepVolumes {
		if err := r.keepVolumes(spec, bundle); err != nil {
			return err
		}
	}
	for i, text := range r.s.b.req.Run.Volumes {
		v, err := parseVolume(text)
		if err != nil {
			return err
		}
		mount := specs.Mount{Destination: v.target, Type: "bind", Source: v.source, Options: v.options}
		if v.overlay {
			if mount, err = scratchOver(bundle, fmt.Sprintf("volume-%d", i), v.source, v.target); err != nil {
				return err
			}
		}
		if v.chown {
			root, err := os.OpenRoot(v.source)
			if err != nil {
				return err
			}
			err = rootfs.ChownTree(root, int(spec.Process.User.UID), int(spec.Process.User.GID))
			root.Close()
			if err != nil {
				return err
			}
		}
		spec.Mounts = append(spec.Mounts, mount)
	}
	return nil
}

func (r *runStep) keepVolumes(spec *specs.Spec, bundle string) error {
	for i, volume := range slices.Sorted(maps.Keys(r.s.doc.Config.Volumes)) {
		if !path.IsAbs(volume) {
			volume = path.Join("/", volume)
		}
		info, err := rootfs.Stat(r.s.root, volume)
		switch {
		case errors.Is(err, os.ErrNotExist):
			if _, err := r.s.makeDir(volume); err != nil {
				return err
			}
		case err != nil:
			return err
		case !info.IsDir():
			continue
		}
		source, err := rootfs.ResolvePath(r.s.root, volume)
		if err != nil {
			return err
		}
		mount, err := scratchOver(bundle, fmt.Sprintf("kept-%d", i), source, volume)
		if err != nil {
			return err
		}
		spec.Mounts = append(spec.Mounts, mount)
	}
	return nil
}

// likeOwner gives a file or directory the owner and permissions of another.
func likeOwner(name, other string) error {
	var st unix.Stat_t
	if err := unix.Stat(other, &st); err != nil {
		return &os.PathError{Op: "stat", Path: other, Err: err}
	}
	if err := os.Chown(name, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	return unix.Chmod(name, st.Mode&0o7777)
}

// scratchOver mounts a directory so that what is written to it goes with the
// step.
func scratchOver(bundle, name, source, target string) (specs.Mount, error) {
	upper, work := filepath.Join(bundle, name, "upper"), filepath.Join(bundle, name, "work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return specs.Mount{}, err
		}
	}
	// The directory that is mounted is as the upper one is.
	if err := likeOwner(upper, source); err != nil {
		return specs.Mount{}, err
	}
	var options []string
	for _, kv := range [][2]string{{"lowerdir", source}, {"upperdir", upper}, {"workdir", work}} {
		if strings.ContainsAny(kv[1], ":,\\") {
			return specs.Mount{}, errdef.Newf(errdef.ErrUnsupported, "directory %q can't be written to for one step: there are ':', ',' or '\\' in its name", kv[1])
		}
		options = append(options, kv[0]+"="+kv[1])
	}
	return specs.Mount{Destination: target, Type: "overlay", Source: "overlay", Options: append(options, "private")}, nil
}
