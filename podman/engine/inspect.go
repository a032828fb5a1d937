package engine

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/network"
	"golang.org/x/sys/unix"
)

// ContainerInfo is what inspect prints of a container, with the reference's
// keys.
type ContainerInfo struct {
	ID              string `json:"Id"`
	Created         time.Time
	Path            string
	Args            []string
	State           StateInfo
	Image           string
	ImageDigest     string
	ImageName       string
	ResolvConfPath  string
	HostnamePath    string
	HostsPath       string
	StaticDir       string
	OCIRuntime      string
	OCIConfigPath   string `json:",omitempty"`
	Name            string
	RestartCount    int
	Driver          string
	EffectiveCaps   []string
	BoundingCaps    []string
	ExecIDs         []string
	Mounts          []MountInfo
	Dependencies    []string
	NetworkSettings NetworkInfo
	Config          ConfigInfo
	HostConfig      HostInfo
}

// Id is the ID under the name that templates of the reference use as well.
//
//nolint:revive // the name is the template's
func (c *ContainerInfo) Id() string { return c.ID }

// StateInfo is a container's state.
type StateInfo struct {
	OciVersion string
	Status     string
	Running    bool
	Paused     bool
	Restarting bool
	OOMKilled  bool
	Dead       bool
	Pid        int
	ConmonPid  int `json:",omitempty"`
	ExitCode   int
	Error      string
	StartedAt  time.Time
	FinishedAt time.Time
	CgroupPath string `json:",omitempty"`
}

// MountInfo is one mount.
type MountInfo struct {
	Type        string
	Name        string `json:",omitempty"`
	Source      string
	Destination string
	Driver      string
	Mode        string
	Options     []string
	RW          bool
	Propagation string
}

// HostPort is where a port of the container is published.
type HostPort struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

// NetworkInfo is how the container is connected.
type NetworkInfo struct {
	EndpointInfo
	Bridge     string
	SandboxID  string
	SandboxKey string
	Ports      map[string][]HostPort
	Networks   map[string]EndpointInfo `json:",omitempty"`
}

// EndpointInfo is a container's place on one network.
type EndpointInfo struct {
	EndpointID          string
	Gateway             string
	IPAddress           string
	IPPrefixLen         int
	IPv6Gateway         string
	GlobalIPv6Address   string
	GlobalIPv6PrefixLen int
	MacAddress          string
	NetworkID           string   `json:",omitempty"`
	Aliases             []string `json:",omitempty"`
}

// ConfigInfo is the process's configuration.
type ConfigInfo struct {
	Hostname      string
	User          string
	Tty           bool
	OpenStdin     bool
	Env           []string
	Cmd           []string
	Image         string
	WorkingDir    string
	Entrypoint    []string
	Labels        map[string]string
	Annotations   map[string]string
	StopSignal    string
	CreateCommand []string
	StopTimeout   uint
	ExposedPorts  map[string]struct{} `json:",omitempty"`
}

// HostInfo is what the host lets the container do.
type HostInfo struct {
	Binds         []string
	CgroupManager string
	LogConfig     struct {
		Type, Path, Tag, Size string
	}
	NetworkMode   string
	PortBindings  map[string][]HostPort
	RestartPolicy struct {
		Name              string
		MaximumRetryCount uint
	}
	AutoRemove        bool
	CapAdd, CapDrop   []string
	DNS               []string `json:"Dns"`
	DNSOptions        []string `json:"DnsOptions"`
	DNSSearch         []string `json:"DnsSearch"`
	ExtraHosts        []string
	GroupAdd          []string
	IpcMode           string
	PidMode           string
	UTSMode           string
	Privileged        bool
	ReadonlyRootfs    bool
	SecurityOpt       []string
	ShmSize           int64
	Runtime           string
	CPUShares         uint64 `json:"CpuShares"`
	Memory            int64
	NanoCpus          int64
	CPUPeriod         uint64 `json:"CpuPeriod"`
	CPUQuota          int64  `json:"CpuQuota"`
	CpusetCpus        string
	MemoryReservation int64
	MemorySwap        int64
	PidsLimit         int64
	Ulimits           []UlimitInfo
}

// UlimitInfo is a resource limit of the process.
type UlimitInfo struct {
	Name string
	Soft int64
	Hard int64
}

// Inspect tells all of a container.
func (e *Engine) Inspect(nameOrID string) (*ContainerInfo, error) {
	found, err := e.Lookup(nameOrID)
	if err != nil {
		return nil, err
	}
	c, err := e.configuration(found.ID)
	if err != nil {
		return nil, err
	}
	c.Name = firstName(found.Names)
	s := e.status(c.ID)
	args := c.Args()
	dir := e.Store.ContainerRunDir(c.ID)
	info := &ContainerInfo{ID: c.ID, Created: c.Created, Path: args[0], Args: args[1:], Image: c.ImageID, ImageName: c.Image, Name: c.Name,
		StaticDir: e.Store.ContainerDir(c.ID), OCIRuntime: first(c.Runtime, "builtin"), Driver: e.Store.Driver(), ExecIDs: []string{}, Dependencies: []string{},
		State: StateInfo{OciVersion: "1.3.0", Status: s.State, Running: s.State == Running, Paused: s.State == Paused, Pid: s.Pid, ConmonPid: s.Monitor,
			ExitCode: s.ExitCode, StartedAt: s.StartedAt, FinishedAt: s.ExitedAt}}
	if image, err := e.Store.Image(c.ImageID); err == nil {
		info.ImageDigest = image.Digest.String()
	}
	if s.Running() {
		info.ResolvConfPath, info.HostnamePath, info.HostsPath = filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hostname"), filepath.Join(dir, "hosts")
		info.OCIConfigPath = filepath.Join(dir, "config.json")
	}
	if info.BoundingCaps, err = e.capabilityList(&c.Security); err != nil {
		return nil, err
	}
	info.EffectiveCaps = info.BoundingCaps
	info.Mounts, info.HostConfig.Binds = mountInfo(c)
	info.NetworkSettings = e.networkInfo(c)
	info.Config = e.configInfo(c)
	e.hostInfo(c, &info.HostConfig)
	return info, nil
}

func mountInfo(c *container.Config) (mounts []MountInfo, binds []string) {
	mounts, binds = []MountInfo{}, []string{}
	for _, m := range c.Mounts {
		if m.Type == "tmpfs" {
			continue
		}
		i := MountInfo{Type: m.Type, Name: m.Name, Source: m.Source, Destination: m.Destination, RW: !m.Has("ro"), Options: []string{}}
		if m.Type == "volume" {
			i.Driver = "local"
		}
		for _, o := range m.Options {
			switch o {
			case "z", "Z":
				i.Mode = o
			case "private", "rprivate", "shared", "rshared", "slave", "rslave":
				i.Propagation = o
			case "ro", "rw":
			default:
				i.Options = append(i.Options, o)
			}
		}
		mounts = append(mounts, i)
		binds = append(binds, first(m.Name, m.Source)+":"+m.Destination+":"+strings.Join(m.Options, ","))
	}
	return mounts, binds
}

func portInfo(ports []network.PortMapping) map[string][]HostPort {
	all := map[string][]HostPort{}
	for _, p := range ports {
		for i := range max(p.Range, 1) {
			key := fmt.Sprintf("%d/%s", p.ContainerPort+i, p.Protocol)
			all[key] = append(all[key], HostPort{first(p.HostIP, "0.0.0.0"), strconv.Itoa(int(p.HostPort + i))})
		}
	}
	return all
}

func (e *Engine) networkInfo(c *container.Config) NetworkInfo {
	info := NetworkInfo{Ports: portInfo(c.Network.Ports)}
	for _, p := range c.ExposedPorts {
		if _, ok := info.Ports[p]; !ok {
			info.Ports[p] = nil
		}
	}
	status := e.networkStatus(c.ID)
	if len(status) > 0 {
		info.SandboxKey = e.nsPath(c)
	}
	for name := range c.Network.Networks {
		var end EndpointInfo
		for _, link := range status[name].Interfaces {
			end.MacAddress = link.MAC
			for _, subnet := range link.Subnets {
				end.IPAddress = subnet.IPNet.IP.String()
				end.IPPrefixLen, _ = subnet.IPNet.Mask.Size()
				end.Gateway = subnet.Gateway.String()
			}
		}
		end.NetworkID, end.Aliases = name, []string{c.ID[:12]}
		if info.Networks == nil {
			info.Networks = map[string]EndpointInfo{}
		}
		info.Networks[name] = end
		if name == defaultNetwork {
			end.NetworkID, end.Aliases = "", nil
			info.EndpointInfo = end
		}
	}
	return info
}

func (e *Engine) configInfo(c *container.Config) ConfigInfo {
	info := ConfigInfo{Hostname: e.hostname(c), User: c.User, Tty: c.Terminal, OpenStdin: c.Stdin, Env: c.Env, Cmd: c.Command, Image: c.Image,
		WorkingDir: c.WorkDir, Entrypoint: c.Entry, Labels: c.Labels, Annotations: c.Annotations,
		StopSignal: unix.SignalName(unix.Signal(c.StopSignal)), CreateCommand: c.CreatedBy, StopTimeout: c.StopTimeout}
	for _, p := range c.ExposedPorts {
		if info.ExposedPorts == nil {
			info.ExposedPorts = map[string]struct{}{}
		}
		info.ExposedPorts[p] = struct{}{}
	}
	return info
}

func (e *Engine) hostInfo(c *container.Config, h *HostInfo) {
	h.CgroupManager = first(e.Config.Engine.CgroupManager, "cgroupfs")
	h.LogConfig.Type, h.LogConfig.Path, h.LogConfig.Size = c.LogDriver, e.LogPath(c), "-1B"
	h.NetworkMode, h.PortBindings, h.RestartPolicy.Name, h.AutoRemove = c.Network.Mode, portInfo(c.Network.Ports), "no", c.AutoRemove
	h.CapAdd, h.CapDrop = list(c.Security.CapAdd), list(c.Security.CapDrop)
	h.DNS, h.DNSOptions, h.DNSSearch, h.ExtraHosts = list(c.Network.DNS), list(c.Network.DNSOptions), list(c.Network.DNSSearch), list(c.Network.AddHosts)
	h.GroupAdd, h.SecurityOpt = list(c.Groups), []string{}
	h.IpcMode, h.PidMode, h.UTSMode = first(c.IPCMode, "shareable"), first(c.PIDMode, "private"), first(c.UTSMode, "private")
	h.Privileged, h.ReadonlyRootfs, h.ShmSize, h.Runtime = c.Security.Privileged, c.Security.ReadOnly, c.ShmSize, "oci"
	if c.Security.NoNewPrivileges {
		h.SecurityOpt = append(h.SecurityOpt, "no-new-privileges")
	}
	h.Ulimits = []UlimitInfo{}
	for _, l := range c.Rlimits {
		h.Ulimits = append(h.Ulimits, UlimitInfo{l.Type, int64(l.Soft), int64(l.Hard)})
	}
	h.PidsLimit = e.Config.Containers.PidsLimit
	r := c.Resources
	if r == nil {
		return
	}
	if m := r.Memory; m != nil {
		h.Memory, h.MemoryReservation, h.MemorySwap = value(m.Limit), value(m.Reservation), value(m.Swap)
	}
	if cpu := r.CPU; cpu != nil {
		h.CPUShares, h.CPUPeriod, h.CPUQuota, h.CpusetCpus = value(cpu.Shares), value(cpu.Period), value(cpu.Quota), cpu.Cpus
		if h.CPUPeriod > 0 && h.CPUQuota > 0 {
			h.NanoCpus = int64(float64(h.CPUQuota) / float64(h.CPUPeriod) * 1e9)
		}
	}
	if r.Pids != nil {
		h.PidsLimit = value(r.Pids.Limit)
	}
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
