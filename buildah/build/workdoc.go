package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// workFile holds what is known of a working container, in its own directory of
// the store. The reference reads and writes the same file.
const workFile = "buildah.json"

// workType is the kind of the file.
const workType = "buildah 0.0.1"

// maxWorkFile is the size of the largest such file that is read, in bytes.
const maxWorkFile = 64 << 20

// workDoc is the content of the file. What only the reference knows the
// meaning of is kept as it is.
type workDoc struct {
	Args                json.RawMessage   `json:"Args"`
	Type                string            `json:"type"`
	FromImage           string            `json:"image,omitempty"`
	FromImageID         string            `json:"image-id"`
	FromImageDigest     string            `json:"image-digest"`
	Config              []byte            `json:"config,omitempty"`
	Manifest            []byte            `json:"manifest,omitempty"`
	Container           string            `json:"container-name"`
	ContainerID         string            `json:"container-id"`
	MountPoint          string            `json:"mountpoint,omitempty"`
	ProcessLabel        string            `json:"process-label,omitempty"`
	MountLabel          string            `json:"mount-label,omitempty"`
	ImageAnnotations    map[string]string `json:"annotations,omitempty"`
	ImageCreatedBy      string            `json:"created-by,omitempty"`
	ImageHistoryComment string            `json:"history-comment,omitempty"`
	OCIv1               spec.Image        `json:"ociv1"`
	Docker              dockerImage       `json:"docker"`
	DefaultMounts       string            `json:"defaultMountsFilePath,omitempty"`
	Isolation           int
	NamespaceOptions    []workNamespace
	ConfigureNetwork    int
	CNIPluginPath       string
	CNIConfigDir        string
	GroupAdd            []string
	IDMappingOptions    json.RawMessage
	Capabilities        []string

	PrependedEmptyLayers []spec.History
	AppendedEmptyLayers  []spec.History

	CommonBuildOpts       *Limits
	TopLayer              string
	Format                string
	TempVolumes           json.RawMessage
	ContentDigester       json.RawMessage
	Devices               json.RawMessage
	DeviceSpecs           []string
	CDIConfigDir          string
	PrependedLinkedLayers json.RawMessage
	AppendedLinkedLayers  json.RawMessage
}

// workNamespace is how a namespace of a working container's processes is made.
type workNamespace struct {
	Name string
	Host bool
	Path string
}

// Numbers that the file has for words.
const (
	workIsolationOCI      = 1
	workIsolationChroot   = 2
	workIsolationRootless = 3

	workNetworkDefault  = 0
	workNetworkDisabled = 1
	workNetworkEnabled  = 2
)

// hostIDs are the ID maps of a working container that has none of its own.
const hostIDs = `{"HostUIDMapping":true,"HostGIDMapping":true,"UIDMap":[],"GIDMap":[],"AutoUserNs":false,` +
	`"AutoUserNsOpts":{"Size":0,"InitialSize":0,"PasswdFile":"","GroupFile":"","AdditionalUIDMappings":null,"AdditionalGIDMappings":null}}`

// readWork reads the file of a container; a container without one is none of a
// builder's, which is errdef.ErrNotFound.
func readWork(st *store.Store, id string) (*workDoc, error) {
	file := filepath.Join(st.ContainerDir(id), workFile)
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errdef.Newf(errdef.ErrNotFound, "container %q is not a buildah container", id)
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxWorkFile {
		return nil, errdef.Newf(errdef.ErrInvalid, "read %q: not a regular file of at most %d bytes", file, maxWorkFile)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := &workDoc{}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, errdef.As(errdef.ErrInvalid, fmt.Errorf("read %q: %w", file, err))
	}
	if d.Type != workType {
		return nil, errdef.Newf(errdef.ErrInvalid, "read %q: unknown type %q", file, d.Type)
	}
	return d, nil
}

// write replaces the file of the container.
func (d *workDoc) write(st *store.Store, id string) error {
	data, err := json.Marshal(d)
	if err != nil {
		return err
	}
	dir := st.ContainerDir(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, workFile))
}

// image is the configuration of the image to be.
func (d *workDoc) image() *imageDoc {
	c := containerConfig{ImageConfig: d.OCIv1.Config}
	if docker := d.Docker.Config; docker != nil {
		c.Healthcheck, c.OnBuild, c.Shell = docker.Healthcheck, docker.OnBuild, docker.Shell
		c.Hostname, c.Domainname = docker.Hostname, docker.Domainname
	}
	doc := &imageDoc{
		Created: d.OCIv1.Created, Author: d.OCIv1.Author, Comment: d.Docker.Comment, Platform: d.OCIv1.Platform,
		Config: c, RootFS: d.OCIv1.RootFS, History: d.OCIv1.History,
	}
	doc.RootFS.Type = "layers"
	return doc.clone()
}

// setImage takes the configuration over in both forms.
func (d *workDoc) setImage(doc *imageDoc) {
	d.OCIv1, d.Docker = doc.oci(), doc.docker()
}

// setRun notes how the processes of the container are run.
func (d *workDoc) setRun(o *RunOptions, network string, capabilities []string, rootless bool) {
	limits := o.Limits
	d.CommonBuildOpts = &limits
	d.GroupAdd, d.DeviceSpecs = o.GroupAdd, o.Devices
	d.Capabilities = capabilities
	switch {
	case o.Isolation == IsolationChroot:
		d.Isolation = workIsolationChroot
	case o.Isolation == IsolationRootless || rootless:
		d.Isolation = workIsolationRootless
	default:
		d.Isolation = workIsolationOCI
	}
	d.NamespaceOptions = nil
	for _, name := range []string{"cgroup", "ipc", "mount", "network", "pid", "user", "uts"} {
		value := o.Namespaces[name]
		ns := workNamespace{Name: name, Host: value == "host" || name == "cgroup" && value == "" || name == "user", Path: namespaceFile(value)}
		if name == "network" {
			ns.Host = network == networkHost
			if network != networkNone && network != networkPrivate {
				ns.Path = namespaceFile(network)
			}
		}
		d.NamespaceOptions = append(d.NamespaceOptions, ns)
	}
	switch network {
	case "":
		d.ConfigureNetwork = workNetworkDefault
	case networkNone:
		d.ConfigureNetwork = workNetworkDisabled
	default:
		d.ConfigureNetwork = workNetworkEnabled
	}
}

// run is how the processes of the container are run.
func (d *workDoc) run() (o RunOptions, network string) {
	o = RunOptions{GroupAdd: d.GroupAdd, Devices: d.DeviceSpecs, Namespaces: map[string]string{}}
	if d.CommonBuildOpts != nil {
		o.Limits = *d.CommonBuildOpts
	}
	if slices.Contains(referenceSeccomp, o.SeccompProfilePath) {
		o.SeccompProfilePath = ""
	}
	if d.Isolation == workIsolationChroot {
		o.Isolation = IsolationChroot
	}
	for _, ns := range d.NamespaceOptions {
		value := ns.Path
		if ns.Host && value == "" {
			value = "host"
		}
		switch ns.Name {
		case "network":
			network = value
		case "ipc", "pid", "uts", "cgroup":
			o.Namespaces[ns.Name] = value
		}
	}
	if d.ConfigureNetwork == workNetworkDisabled {
		network = networkNone
	}
	return o, network
}

// referenceSeccomp are the files that the reference names for the profile that
// is built in here.
var referenceSeccomp = []string{"/usr/share/containers/seccomp.json", "/etc/containers/seccomp.json"}
