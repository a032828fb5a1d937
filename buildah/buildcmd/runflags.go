package buildcmd

import (
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

// RunFlags are the options that say how what RUN starts is run.
type RunFlags struct {
	memory, memorySwap   string
	namespaces           map[string]*string
	securityOpts, noMaps []string
	userns               string
}

// Bind declares all of them.
func (f *RunFlags) Bind(fs *pflag.FlagSet, o *build.RunOptions, network *string) {
	fs.StringSliceVar(&o.AddHost, "add-host", []string{}, "add a custom host-to-IP mapping (`host:ip`)")
	fs.StringVar(&o.CgroupParent, "cgroup-parent", "", "optional parent cgroup for the container")
	fs.Uint64Var(&o.CPUPeriod, "cpu-period", 0, "limit the CPU CFS (Completely Fair Scheduler) period")
	fs.Int64Var(&o.CPUQuota, "cpu-quota", 0, "limit the CPU CFS (Completely Fair Scheduler) quota")
	fs.Uint64VarP(&o.CPUShares, "cpu-shares", "c", 0, "CPU shares (relative weight)")
	fs.StringVar(&o.CPUSetCPUs, "cpuset-cpus", "", "CPUs in which to allow execution (0-3, 0,1)")
	fs.StringVar(&o.CPUSetMems, "cpuset-mems", "", "memory nodes (MEMs) in which to allow execution (0-3, 0,1). Only effective on NUMA systems.")
	fs.StringSliceVar(&o.DNSServers, "dns", nil, "set custom DNS servers or disable it completely by setting it to 'none', which prevents the automatic creation of `/etc/resolv.conf`.")
	fs.StringSliceVar(&o.DNSOptions, "dns-option", nil, "set custom DNS options")
	fs.StringSliceVar(&o.DNSSearch, "dns-search", nil, "set custom DNS search domains")
	fs.StringSliceVar(&o.GroupAdd, "group-add", nil, "add additional groups to the primary container process. 'keep-groups' allows container processes to use supplementary groups.")
	fs.BoolVar(&o.HTTPProxy, "http-proxy", true, "pass through HTTP Proxy environment variables")
	fs.StringVarP(&f.memory, "memory", "m", "", "memory limit (format: <number>[<unit>], where unit = b, k, m or g)")
	fs.StringVar(&f.memorySwap, "memory-swap", "", "swap limit equal to memory plus swap: '-1' to enable unlimited swap")
	fs.StringArrayVar(&f.securityOpts, "security-opt", []string{}, "security options")
	fs.StringVar(&o.ShmSize, "shm-size", "65536k", "size of '/dev/shm'. The format is `<number><unit>`.")
	fs.StringSliceVar(&o.Ulimit, "ulimit", nil, "ulimit options")
	fs.StringVar(&f.userns, "userns", "", "'container', `path` of user namespace to join, or 'host'")
	for name, usage := range map[string]string{
		"userns-uid-map": "`containerUID:hostUID:length` UID mapping to use in user namespace", "userns-gid-map": "`containerGID:hostGID:length` GID mapping to use in user namespace",
		"userns-uid-map-user": "`name` of entries from /etc/subuid to use to set user namespace UID mapping", "userns-gid-map-group": "`name` of entries from /etc/subgid to use to set user namespace GID mapping",
	} {
		fs.Var(mapValue{&f.noMaps, name}, name, usage)
	}
	f.BindRun(fs, o, network)
}

// BindRun declares those that a single `buildah run` has, too.
func (f *RunFlags) BindRun(fs *pflag.FlagSet, o *build.RunOptions, network *string) {
	fs.StringSliceVar(&o.CapAdd, "cap-add", []string{}, "add the specified capability when running")
	fs.StringSliceVar(&o.CapDrop, "cap-drop", []string{}, "drop the specified capability when running")
	fs.StringArrayVar(&o.Devices, "device", nil, "additional devices to provide")
	fs.StringVar(&o.Isolation, "isolation", "", "`type` of process isolation to use. Use BUILDAH_ISOLATION environment variable to override.")
	fs.StringVar(network, "network", "", "'private', 'none', 'ns:path' of network namespace to join, or 'host'")
	fs.StringVar(network, "net", "", "")
	_ = fs.MarkHidden("net")
	fs.StringArrayVarP(&o.Volumes, "volume", "v", nil, "bind mount a volume into the container")
	f.namespaces = map[string]*string{}
	for _, ns := range [][2]string{
		{"cgroupns", "'private', or 'host'"}, {"ipc", "'private', `path` of IPC namespace to join, or 'host'"},
		{"pid", "private, `path` of PID namespace to join, or 'host'"}, {"uts", "private, :`path` of UTS namespace to join, or 'host'"},
	} {
		f.namespaces[ns[0]] = fs.String(ns[0], "", ns[1])
	}
}

// Apply checks the options and completes what the request can't take directly.
func (f *RunFlags) Apply(o *build.RunOptions, network *string) error {
	o.Namespaces = map[string]string{}
	for name, value := range f.namespaces {
		o.Namespaces[strings.TrimSuffix(name, "ns")] = *value
	}
	if v := f.namespaces["cgroupns"]; v != nil {
		delete(o.Namespaces, "cgroup")
		if *v != "" {
			o.Namespaces["cgroup"] = *v
		}
	}
	switch f.userns {
	case "", "host":
	default:
		return errdef.Newf(errdef.ErrUnsupported, "--userns=%s is not supported: RUN uses the user namespace of the builder", f.userns)
	}
	if len(f.noMaps) > 0 {
		return errdef.Newf(errdef.ErrUnsupported, "--%s is not supported: RUN uses the user namespace of the builder", f.noMaps[0])
	}
	for _, limit := range []struct {
		flag, text string
		to         *int64
	}{{"memory", f.memory, &o.Memory}, {"memory-swap", f.memorySwap, &o.MemorySwap}} {
		if limit.text == "" {
			continue
		}
		n, err := runtime.ParseBytes(limit.text)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid value for %s: %w", limit.flag, err)
		}
		*limit.to = n
	}
	if o.Isolation == "" {
		o.Isolation = os.Getenv("BUILDAH_ISOLATION")
	}
	switch *network {
	case "default", "bridge":
		*network = ""
	}
	return o.SecurityOpts(f.securityOpts)
}

// mapValue notes that an option which asks for ID maps was given.
type mapValue struct {
	given *[]string
	name  string
}

func (v mapValue) String() string { return "" }
func (v mapValue) Type() string   { return "string" }
func (v mapValue) Set(string) error {
	*v.given = append(*v.given, v.name)
	return nil
}
