package build

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/runtime/cdi"
)

// Ways to isolate what RUN runs.
const (
	IsolationOCI      = "oci"
	IsolationRootless = "rootless"
	IsolationChroot   = "chroot"
)

// Limits are what the processes of RUN may and get. The names are those of the
// working container's file, which the reference reads and writes too.
type Limits struct {
	AddHost            []string // "name:address"
	OmitHistory        bool
	CgroupParent       string
	CPUPeriod          uint64
	CPUQuota           int64
	CPUShares          uint64
	CPUSetCPUs         string
	CPUSetMems         string
	HTTPProxy          bool // the builder's own proxy settings count inside
	IdentityLabel      int
	Memory             int64 // bytes, 0 = no limit
	DNSSearch          []string
	DNSServers         []string
	DNSOptions         []string
	LabelOpts          []string
	Masks              []string
	MemorySwap         int64
	NoHostname         bool // keep the image's /etc/hostname
	NoHosts            bool // keep the image's /etc/hosts
	NoNewPrivileges    bool
	OmitTimestamp      bool
	SeccompProfilePath string // "" is the built-in profile
	ApparmorProfile    string
	ShmSize            string
	Ulimit             []string // "name=soft:hard"
	Volumes            []string // "host:container[:options]"
	Secrets            []string
	SSHSources         []string
	OCIHooksDir        []string
	Unmasks            []string
}

// RunOptions say how the processes of RUN are run.
type RunOptions struct {
	Limits
	Isolation  string            // "" is IsolationOCI
	Namespaces map[string]string // "ipc", "pid", "uts", "cgroup" → "", "private", "host" or a path
	GroupAdd   []string          // further groups, by name or number; "keep-groups" keeps the caller's
	CapAdd     []string
	CapDrop    []string
	Devices    []string // "host[:container[:permissions]]", or names of the Container Device Interface
	Allow      []string // what steps may ask for: Allow…
	// KeepVolumes undoes what RUN changes in the image's volumes.
	KeepVolumes bool
}

// What the steps of a Containerfile get only if whoever builds allows it.
const (
	AllowHostNetwork = "network.host" // always allowed
	AllowInsecure    = "security.insecure"
	AllowDevice      = "device" // all, or with "=NAME" one
)

// allows tells whether whoever builds agrees to what a step asks for.
func (o *RunOptions) allows(what string) bool { return slices.Contains(o.Allow, what) }

// checkStep refuses what a step asks for and nobody allowed.
func (o *RunOptions) checkStep(run *dockerfile.Run) error {
	if run.Insecure && !o.allows(AllowInsecure) {
		return errdef.Newf(errdef.ErrDenied, "RUN --security=insecure is not allowed: whoever builds allows it with --allow %s", AllowInsecure)
	}
	return nil
}

// checkAllow refuses what nobody can allow.
func (o *RunOptions) checkAllow() error {
	for _, what := range o.Allow {
		kind, device, named := strings.Cut(what, "=")
		switch {
		case !named && (what == AllowHostNetwork || what == AllowInsecure || what == AllowDevice):
		case kind == AllowDevice && cdi.IsName(device):
		default:
			return errdef.Newf(errdef.ErrInvalid, "unknown entitlement %q: want network.host, security.insecure, device or device=NAME", what)
		}
	}
	return nil
}

// checkHooks refuses a directory that isn't there: somebody named it.
func (o *RunOptions) checkHooks() error {
	for _, dir := range o.OCIHooksDir {
		if _, err := os.ReadDir(dir); err != nil {
			return fmt.Errorf("hooks directory: %w", err)
		}
	}
	return nil
}

// SecurityOpts takes in what --security-opt says.
func (l *Limits) SecurityOpts(opts []string) error {
	for _, opt := range opts {
		key, value, ok := strings.Cut(opt, "=")
		if !ok {
			key, value, ok = strings.Cut(opt, ":")
		}
		switch {
		case opt == "no-new-privileges":
			l.NoNewPrivileges = true
		case !ok:
			return errdef.Newf(errdef.ErrInvalid, "invalid --security-opt name=value pair: %q", opt)
		case key == "seccomp":
			l.SeccompProfilePath = value
		case key == "mask":
			l.Masks = append(l.Masks, strings.Split(value, ":")...)
		case key == "unmask":
			l.Unmasks = append(l.Unmasks, strings.Split(value, ":")...)
		case key == "label" && value == "disable", key == "apparmor" && value == "unconfined":
		case key == "label", key == "apparmor":
			return errdef.Newf(errdef.ErrUnsupported, "security option %q is not supported: RUN gets no label of its own", opt)
		default:
			return errdef.Newf(errdef.ErrInvalid, "invalid --security-opt 2: %q", opt)
		}
	}
	return nil
}

// check finds what can't be done before anything is.
func (o *RunOptions) check() error {
	switch o.Isolation {
	case "", "default", IsolationOCI, IsolationRootless, IsolationChroot:
	default:
		return errdef.Newf(errdef.ErrInvalid, "unrecognized isolation type %q", o.Isolation)
	}
	for _, text := range o.Volumes {
		if _, err := parseVolume(text); err != nil {
			return err
		}
	}
	for _, text := range o.AddHost {
		name, address, ok := strings.Cut(text, ":")
		if !ok || name == "" {
			return errdef.Newf(errdef.ErrInvalid, "invalid --add-host: it must be name:address, not %q", text)
		}
		if address = strings.Trim(address, "[]"); address != "host-gateway" && net.ParseIP(address) == nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid IP address in add-host: %q", address)
		}
	}
	for _, text := range o.Ulimit {
		if _, err := runtime.ParseUlimit(text); err != nil {
			return err
		}
	}
	for kind, value := range o.Namespaces {
		if err := checkNamespace(kind, value); err != nil {
			return err
		}
	}
	if _, err := o.shmSize(); err != nil {
		return err
	}
	_, err := o.capabilities(nil)
	return errors.Join(err, o.checkAllow(), o.checkHooks())
}

func checkNamespace(kind, value string) error {
	file := namespaceFile(value)
	if file == "" {
		return nil
	}
	if !path.IsAbs(file) {
		return errdef.Newf(errdef.ErrInvalid, "unrecognized --%s value %q: it must be private, host or the path of a namespace", kind, value)
	}
	if _, err := os.Stat(file); err != nil {
		return errdef.As(errdef.ErrNotFound, fmt.Errorf("checking for --%s=%s: %w", kind, value, err))
	}
	return nil
}

// namespaceFile is the namespace to join, "" for the host's or a new one.
func namespaceFile(value string) string {
	switch value {
	case "", "private", "container", "host", "default":
		return ""
	}
	return strings.TrimPrefix(value, "ns:")
}

func (o *RunOptions) hostNamespace(kind string) bool {
	return o.Isolation == IsolationChroot || o.Namespaces[kind] == "host"
}

// capabilities are those of the configuration, as the options change them; nil
// are the built-in ones.
func (o *RunOptions) capabilities(configured []string) ([]string, error) {
	if len(o.CapAdd) == 0 && len(o.CapDrop) == 0 {
		if len(configured) == 0 {
			return nil, nil
		}
		return runtime.MergeCapabilities(nil, configured, nil)
	}
	base := runtime.DefaultCapabilities()
	if len(configured) > 0 {
		var err error
		if base, err = runtime.MergeCapabilities(nil, configured, nil); err != nil {
			return nil, err
		}
	}
	merged, err := runtime.MergeCapabilities(base, o.CapAdd, o.CapDrop)
	if merged == nil {
		merged = []string{} // none, which is not the built-in list
	}
	return merged, err
}

func (l *Limits) shmSize() (int64, error) {
	if l.ShmSize == "" {
		return 0, nil
	}
	n, err := runtime.ParseBytes(l.ShmSize)
	if err != nil {
		return 0, errdef.Newf(errdef.ErrInvalid, "invalid --shm-size: %w", err)
	}
	return n, nil
}

// profile is what the default specification of a RUN depends on.
func (r *runStep) profile(caps []string) (runtime.Profile, error) {
	o := &r.s.b.req.Run
	shm, err := o.shmSize()
	return runtime.Profile{
		Privileged: r.inst.Insecure, Rootless: r.s.b.cfg.Rootless, HostNetwork: r.network == networkHost, Capabilities: caps,
		HostPID: o.hostNamespace("pid"), HostIPC: o.hostNamespace("ipc"), HostUTS: o.hostNamespace("uts"),
		HostCgroup: o.hostNamespace("cgroup") || !runtime.PrivateCgroups(), NoSeccomp: o.SeccompProfilePath != "", ShmSize: shm,
	}, err
}

// restrict puts the limits, the devices and the namespaces to join into the
// specification.
func (r *runStep) restrict(spec *specs.Spec, caps []string) error {
	o := &r.s.b.req.Run
	for _, ns := range []struct {
		kind string
		of   specs.LinuxNamespaceType
	}{
		{"ipc", specs.IPCNamespace}, {"pid", specs.PIDNamespace}, {"uts", specs.UTSNamespace}, {"cgroup", specs.CgroupNamespace},
	} {
		if file := namespaceFile(o.Namespaces[ns.kind]); file != "" {
			runtime.SetNamespace(spec, ns.of, file)
		}
	}
	spec.Process.NoNewPrivileges = o.NoNewPrivileges
	if p := o.SeccompProfilePath; p != "" && p != "unconfined" {
		data, err := os.ReadFile(p)
		if err != nil {
			return fmt.Errorf("opening seccomp profile failed: %w", err)
		}
		if spec.Linux.Seccomp, err = runtime.ParseSeccomp(data, caps); err != nil {
			return err
		}
	}
	hidden := func(p string) bool { return slices.Contains(o.Unmasks, p) || slices.Contains(o.Unmasks, "ALL") }
	spec.Linux.MaskedPaths = append(slices.DeleteFunc(spec.Linux.MaskedPaths, hidden), o.Masks...)
	spec.Linux.ReadonlyPaths = slices.DeleteFunc(spec.Linux.ReadonlyPaths, hidden)
	if err := r.limit(spec); err != nil {
		return err
	}
	return r.devices(spec)
}

func (r *runStep) limit(spec *specs.Spec) error {
	o := &r.s.b.req.Run
	for _, text := range o.Ulimit {
		limit, err := runtime.ParseUlimit(text)
		if err != nil {
			return err
		}
		spec.Process.Rlimits = append(spec.Process.Rlimits, limit)
	}
	resources := spec.Linux.Resources
	cpu := &specs.LinuxCPU{Cpus: o.CPUSetCPUs, Mems: o.CPUSetMems}
	if o.CPUPeriod != 0 {
		cpu.Period = &o.CPUPeriod
	}
	if o.CPUQuota != 0 {
		cpu.Quota = &o.CPUQuota
	}
	if o.CPUShares != 0 {
		cpu.Shares = &o.CPUShares
	}
	if *cpu != (specs.LinuxCPU{}) {
		resources.CPU = cpu
	}
	if o.Memory != 0 {
		swap := o.MemorySwap
		if swap == 0 {
			swap = 2 * o.Memory
		}
		resources.Memory = &specs.LinuxMemory{Limit: &o.Memory, Swap: &swap}
	}
	options := runtime.Options{CgroupParent: o.CgroupParent}
	if (resources.CPU != nil || resources.Memory != nil) && !runtime.CgroupsUsable(options) {
		return errdef.Newf(errdef.ErrUnsupported, "resource limits need control groups, which this user has none of: they take cgroup v2 with delegation")
	}
	if o.CgroupParent != "" {
		spec.Linux.CgroupsPath = path.Join("/", o.CgroupParent, "buildah-"+r.s.container)
	}
	return nil
}

// devices gives RUN the devices of the request and of the step.
func (r *runStep) devices(spec *specs.Spec) error {
	named, err := r.namedDevices()
	if err != nil {
		return err
	}
	for _, text := range r.s.b.req.Run.Devices {
		if cdi.IsName(text) {
			continue
		}
		parts := strings.Split(text, ":")
		device, err := runtime.HostDevice(parts[0])
		if err != nil {
			return fmt.Errorf("device %q: %w", text, err)
		}
		access := "rwm"
		for _, part := range parts[1:] {
			if strings.HasPrefix(part, "/") {
				device.Path = part
			} else {
				access = part
			}
		}
		if strings.Trim(access, "rwm") != "" || len(parts) > 3 {
			return errdef.Newf(errdef.ErrInvalid, "device %q must be HOST[:CONTAINER[:PERMISSIONS]], permissions of r, w and m", text)
		}
		if r.s.b.cfg.Rootless { // no device node can be made there
			spec.Mounts = append(spec.Mounts, specs.Mount{Destination: device.Path, Type: "bind", Source: parts[0], Options: []string{"bind", "rprivate"}})
			continue
		}
		spec.Linux.Devices = append(spec.Linux.Devices, device)
		spec.Linux.Resources.Devices = append(spec.Linux.Resources.Devices, specs.LinuxDeviceCgroup{
			Allow: true, Type: device.Type, Major: &device.Major, Minor: &device.Minor, Access: access,
		})
	}
	return cdi.Add(spec, r.s.b.cfg.Engine.CDISpecDirs, named)
}

// namedDevices are those of the Container Device Interface, of the request and
// of the step. One that the step can do without may be missing.
func (r *runStep) namedDevices() ([]string, error) {
	o := &r.s.b.req.Run
	named := slices.DeleteFunc(slices.Clone(o.Devices), func(text string) bool { return !cdi.IsName(text) })
	for _, d := range r.inst.Devices {
		name, err := r.s.expand.Word(d.Name, r.s.vars())
		switch {
		case err != nil:
			return nil, err
		case !cdi.IsName(name):
			return nil, errdef.Newf(errdef.ErrInvalid, "RUN --device=%s: it must have the form VENDOR/CLASS=NAME", name)
		case !o.allows(AllowDevice) && !o.allows(AllowDevice+"="+name):
			return nil, errdef.Newf(errdef.ErrDenied, "RUN --device=%s is not allowed: whoever builds allows it with --allow device=%s", name, name)
		}
		there := true
		if !d.Required {
			if there, err = cdi.Has(r.s.b.cfg.Engine.CDISpecDirs, name); err != nil {
				return nil, err
			}
		}
		if there && !slices.Contains(named, name) {
			named = append(named, name)
		}
	}
	return named, nil
}

// groups are the further groups of the process.
func (r *runStep) groups() ([]uint32, error) {
	var ids []uint32
	for _, group := range r.s.b.req.Run.GroupAdd {
		if group == "keep-groups" {
			return nil, errdef.Newf(errdef.ErrUnsupported, "--group-add=keep-groups is not supported: RUN gets the groups of its user alone")
		}
		id, err := rootfs.LookupGroup(r.s.root, group)
		if err != nil {
			return nil, err
		}
		ids = append(ids, uint32(id))
	}
	return ids, nil
}
