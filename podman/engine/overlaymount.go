package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/userns"
	"golang.org/x/sys/unix"
)

// Directories of a container's run: where parts of volumes and images are
// mounted, a list of the images that are, and what is written to overlays.
const (
	pinnedDir  = "pinned"
	imagesFile = "images"
	overlayDir = "overlay"
)

// addOverlay has the container write to another place than where it reads
// (:O): a directory of its run, or the one that the user chose.
func (e *Engine) addOverlay(id string, m *specs.Mount, upper, work string, spec *specs.Spec) error {
	info, err := os.Stat(m.Source)
	if err == nil && !info.IsDir() {
		err = errdef.Newf(errdef.ErrInvalid, "%q is not a directory", m.Source)
	}
	if err == nil && upper == "" {
		dir := filepath.Join(e.Store.ContainerDir(id), overlayDir, strconv.Itoa(len(spec.Mounts)))
		upper, work = filepath.Join(dir, "upper"), filepath.Join(dir, "work")
		err = errors.Join(os.RemoveAll(dir), os.MkdirAll(upper, 0o700), os.MkdirAll(work, 0o700))
		if st := new(unix.Stat_t); err == nil && unix.Stat(m.Source, st) == nil { // its root is the upper directory
			err = errors.Join(os.Chown(upper, int(st.Uid), int(st.Gid)), os.Chmod(upper, info.Mode()))
		}
	}
	if err != nil {
		return fmt.Errorf("mount overlay at %q: %w", m.Destination, err)
	}
	m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "bind" || o == "rbind" })
	m.Options = append(m.Options, "lowerdir="+escapeLower(m.Source), "upperdir="+upper, "workdir="+work)
	if userns.Rootless() {
		m.Options = append(m.Options, "userxattr")
	}
	m.Type, m.Source = "overlay", "overlay"
	spec.Mounts = append(spec.Mounts, *m)
	return nil
}

// escapeLower writes a path so that it is one lower directory.
func escapeLower(path string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(path)
}

// addImageMount shows an image, or a part of one. What the container writes to
// it goes with its run.
func (e *Engine) addImageMount(id string, m *container.Mount, spec *specs.Spec) error {
	source, err := e.Store.MountImage(m.Source)
	if err != nil {
		return fmt.Errorf("creating image volume %q:%q: %w", m.Name, m.Destination, err)
	}
	list, err := os.OpenFile(filepath.Join(e.Store.ContainerRunDir(id), imagesFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		_, err = list.WriteString(m.Source + "\n")
		err = errors.Join(err, list.Close())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("record mount of image %q: %w", m.Name, err), e.Store.UnmountImage(m.Source, false))
	}
	if m.SubPath != "" {
		if source, err = e.pin(id, source, m.SubPath); err != nil {
			return err
		}
	}
	out := specs.Mount{Destination: m.Destination, Type: "bind", Source: source, Options: []string{"rbind", "rprivate", "ro", "nodev"}}
	if m.Has("rw") {
		out.Options = []string{"rprivate", "nodev"}
		return e.addOverlay(id, &out, "", "", spec)
	}
	spec.Mounts = append(spec.Mounts, out)
	return nil
}

// pin mounts a part of a tree at a place of the container's own. Others can
// change the tree, so the part must not be looked up again by its path.
func (e *Engine) pin(id, tree, part string) (string, error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("mount %q of %q: %w", part, tree, err) }
	f, err := rootfs.Open(tree, part)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	dir := filepath.Join(e.Store.ContainerRunDir(id), pinnedDir)
	if err := mkdirPrivate(dir); err != nil {
		return fail(err)
	}
	taken, err := os.ReadDir(dir)
	if err != nil {
		return fail(err)
	}
	at := filepath.Join(dir, strconv.Itoa(len(taken)))
	if info.IsDir() {
		err = os.Mkdir(at, 0o700)
	} else {
		err = os.WriteFile(at, nil, 0o600)
	}
	if err == nil {
		err = unix.Mount(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), at, "", unix.MS_BIND|unix.MS_REC, "")
	}
	if err != nil {
		return fail(err)
	}
	return at, nil
}

// freeMounts gives back what addMount has mounted or made for the run.
func (e *Engine) freeMounts(id string) error {
	pinned := filepath.Join(e.Store.ContainerRunDir(id), pinnedDir)
	entries, _ := os.ReadDir(pinned)
	for _, entry := range entries {
		at := filepath.Join(pinned, entry.Name())
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("unmount %q: %w", at, err)
		}
		if err := os.Remove(at); err != nil { // never what is below
			return fmt.Errorf("unmount %q: %w", at, err)
		}
	}
	os.Remove(pinned)
	list := filepath.Join(e.Store.ContainerRunDir(id), imagesFile)
	if data, err := os.ReadFile(list); err == nil {
		for image := range strings.FieldsSeq(string(data)) {
			if err := e.Store.UnmountImage(image, false); err != nil && !isNotFound(err) {
				return err
			}
		}
		if err := os.Remove(list); err != nil {
			return fmt.Errorf("forget mounted images: %w", err)
		}
	}
	if err := os.RemoveAll(filepath.Join(e.Store.ContainerDir(id), overlayDir)); err != nil {
		return fmt.Errorf("remove what was written to overlays: %w", err)
	}
	return nil
}
