package build

import (
	"errors"
	"fmt"
	"slices"
	"time"

	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// WorkInfo tells of a container in a list of working containers.
type WorkInfo struct {
	ID, Name           string
	Builder            bool // false for another program's container
	ImageID, ImageName string
	MountPoint         string // "" while it isn't mounted
	Created            time.Time
}

// Containers lists the working containers, the oldest first; with all, other
// programs' containers too. Those of running builds are left out.
func Containers(st *store.Store, all bool) ([]WorkInfo, error) {
	containers, err := st.Containers()
	if err != nil {
		return nil, err
	}
	var list []WorkInfo
	for _, c := range containers {
		info := WorkInfo{ID: c.ID, ImageID: c.ImageID, Created: c.Created}
		if len(c.Names) > 0 {
			info.Name = c.Names[0]
		}
		doc, err := readWork(st, c.ID)
		switch {
		case err == nil:
			info.Builder, info.ImageName = true, doc.FromImage
			if info.ImageID = doc.FromImageID; info.ImageID == "" {
				info.ImageName = "scratch"
			}
			if doc.MountPoint != "" && st.Mounted(c.ID) {
				info.MountPoint = doc.MountPoint
			}
		case !errors.Is(err, errdef.ErrNotFound):
			return nil, err
		case !all || buildOf(c) != "":
			continue
		default:
			if image, err := st.Image(c.ImageID); err == nil && len(image.Names) > 0 {
				info.ImageName = image.Names[0]
			}
		}
		list = append(list, info)
	}
	slices.SortStableFunc(list, func(a, b WorkInfo) int { return a.Created.Compare(b.Created) })
	return list, nil
}

// Mount mounts the working container until Unmount, and returns where.
func Mount(st *store.Store, name string) (string, error) {
	c, doc, err := openWork(st, name)
	if err != nil {
		return "", err
	}
	if doc.MountPoint != "" && st.Mounted(c.ID) {
		return doc.MountPoint, nil
	}
	root, err := st.Mount(c.ID)
	if err != nil {
		return "", fmt.Errorf("mounting container %q: %w", name, err)
	}
	doc.MountPoint = root
	return root, doc.write(st, c.ID)
}

// Unmount takes Mount back; for a container that isn't mounted it does nothing.
func Unmount(st *store.Store, name string) (id string, err error) {
	c, doc, err := openWork(st, name)
	if err != nil || doc.MountPoint == "" {
		return c.ID, err
	}
	if err := st.Unmount(c.ID, false); err != nil {
		return "", fmt.Errorf("unmounting container %q: %w", name, err)
	}
	doc.MountPoint = ""
	return c.ID, doc.write(st, c.ID)
}

// Remove removes the working container and returns its ID.
func Remove(st *store.Store, name string) (id string, err error) {
	c, err := st.Container(name)
	if err != nil {
		if errors.Is(err, errdef.ErrNotFound) {
			err = errdef.Newf(errdef.ErrNotFound, "container not known")
		}
		return "", fmt.Errorf("removing container %q: %w", name, err)
	}
	// A container with a broken file of ours can still be removed.
	if _, err := readWork(st, c.ID); errors.Is(err, errdef.ErrNotFound) {
		return "", fmt.Errorf("removing container %q: %w", name, err)
	}
	if err := st.Unmount(c.ID, true); err != nil {
		return "", fmt.Errorf("removing container %q: %w", name, err)
	}
	return c.ID, st.RemoveContainer(c.ID)
}

// Rename gives the working container another name.
func Rename(st *store.Store, name, to string) error {
	c, doc, err := openWork(st, name)
	if err != nil {
		return err
	}
	if doc.Container == to {
		return errdef.Newf(errdef.ErrInvalid, "renaming a container with the same name as its current name")
	}
	if err := st.RenameContainer(c.ID, to); err != nil {
		var taken *store.ConflictError
		if errors.As(err, &taken) {
			return errdef.Newf(errdef.ErrConflict, "the container name %q is already in use by container %q", to, taken.Owner)
		}
		return err
	}
	doc.Container = to
	return doc.write(st, c.ID)
}

// Inspection is what `buildah inspect` prints. The names are the reference's.
type Inspection struct {
	Type, FromImage, FromImageID, FromImageDigest string
	GroupAdd                                      []string
	Config, Manifest                              string
	Container, ContainerID                        string
	MountPoint, ProcessLabel, MountLabel          string
	ImageAnnotations                              map[string]string
	ImageCreatedBy                                string
	OCIv1                                         spec.Image
	Docker                                        any
	DefaultMountsFilePath                         string
	Isolation                                     string
	NamespaceOptions                              any
	Capabilities                                  []string
	ConfigureNetwork                              string
	CNIPluginPath, CNIConfigDir                   string
	IDMappingOptions                              any
	History                                       []spec.History
	Devices                                       any
	DeviceSpecs                                   []string
	CDIConfigDir                                  string
}

// Inspect describes a working container.
func Inspect(st *store.Store, name string) (Inspection, error) {
	_, doc, err := openWork(st, name)
	if err != nil {
		return Inspection{}, err
	}
	return doc.inspection(), nil
}

// InspectImage describes an image the same way.
func InspectImage(req WorkRequest, image store.Image) (Inspection, error) {
	s := newStage(req.builder(nil), nil, true)
	if err := s.load(image, image.ID); err != nil {
		return Inspection{}, err
	}
	if len(image.Names) > 0 {
		s.base.name = image.Names[0]
	}
	w := &Workplace{s: s}
	if err := w.describe(); err != nil {
		return Inspection{}, err
	}
	return w.doc.inspection(), nil
}

func (d *workDoc) inspection() Inspection {
	isolation := map[int]string{workIsolationChroot: IsolationChroot, workIsolationRootless: IsolationRootless}[d.Isolation]
	if isolation == "" {
		isolation = IsolationOCI
	}
	network := [...]string{"NetworkDefault", "NetworkDisabled", "NetworkEnabled"}[max(0, min(2, d.ConfigureNetwork))]
	return Inspection{
		Type: d.Type, FromImage: d.FromImage, FromImageID: d.FromImageID, FromImageDigest: d.FromImageDigest,
		GroupAdd: d.GroupAdd, Config: string(d.Config), Manifest: string(d.Manifest), Container: d.Container,
		ContainerID: d.ContainerID, MountPoint: d.MountPoint, ProcessLabel: d.ProcessLabel, MountLabel: d.MountLabel,
		ImageAnnotations: d.ImageAnnotations, ImageCreatedBy: d.ImageCreatedBy, OCIv1: d.OCIv1, Docker: d.Docker,
		DefaultMountsFilePath: d.DefaultMounts, Isolation: isolation, NamespaceOptions: d.NamespaceOptions,
		Capabilities: d.Capabilities, ConfigureNetwork: network, CNIPluginPath: d.CNIPluginPath, CNIConfigDir: d.CNIConfigDir,
		IDMappingOptions: d.IDMappingOptions, History: d.OCIv1.History, Devices: d.Devices, DeviceSpecs: d.DeviceSpecs,
		CDIConfigDir: d.CDIConfigDir,
	}
}
