package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/podsuite/podsuite/shared/store"
)

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
	args := c.FirstArgs()
	dir := e.Store.ContainerRunDir(c.ID)
	passwd := !c.NoPasswd
	info := &ContainerInfo{ID: c.ID, Created: c.Created, Path: args[0], Args: args[1:], Image: c.ImageID, ImageName: c.Image, Name: c.Name,
		StaticDir: e.Store.ContainerDir(c.ID), OCIRuntime: first(c.Runtime, "builtin"), Driver: e.Store.Driver(), ExecIDs: e.execIDs(c.ID),
		Dependencies: list(c.Summary().Depends), KubeExitCodePropagation: "invalid", State: e.stateInfo(c, s), GraphDriver: e.graphInfo(found),
		ConmonPidFile: e.monitorPidFile(c), PidFile: e.pidFile(c), Config: e.configInfo(c), HostConfig: e.hostInfo(c)}
	info.Config.Passwd = &passwd
	info.Rootfs = c.Rootfs
	info.Pod, info.IsInfra = c.Pod, c.Infra
	again := e.restarts(c.ID)
	info.RestartCount, info.State.Error = again.Count, again.Error
	if image, err := e.Store.Image(c.ImageID); err == nil {
		info.ImageDigest = image.Digest.String()
	}
	info.HostnamePath, info.HostsPath = filepath.Join(dir, "hostname"), filepath.Join(dir, "hosts")
	if s.Running() {
		info.ResolvConfPath = filepath.Join(dir, "resolv.conf")
		info.OCIConfigPath = filepath.Join(dir, "config.json")
	}
	if info.BoundingCaps, err = e.capabilityList(&c.Security); err != nil {
		return nil, err
	}
	info.EffectiveCaps = info.BoundingCaps
	info.Mounts, info.HostConfig.Binds = mountInfo(c)
	info.NetworkSettings = e.networkInfo(c)
	return info, nil
}

// AddSize measures the container, too.
func (e *Engine) AddSize(info *ContainerInfo) error {
	size, err := e.ContainerSize(info.ID)
	info.SizeRw, info.SizeRootFs = &size.Changes, &size.Root
	return err
}

func (e *Engine) stateInfo(c *container.Config, s Status) *StateInfo {
	info := &StateInfo{OciVersion: "1.3.0", Status: s.State, Running: s.State == Running, Paused: s.State == Paused, Pid: s.Pid, ConmonPid: s.Monitor,
		OOMKilled: s.State == Exited && e.oomKilled(c.ID), ExitCode: s.ExitCode, StartedAt: s.StartedAt, FinishedAt: s.ExitedAt, Health: e.healthInfo(c, s)}
	if s.Running() {
		info.CgroupPath = e.group(c.ID, s.Pid)
	}
	return info
}

// graphInfo tells of the layer; where it is mounted only while it is.
func (e *Engine) graphInfo(c store.Container) GraphDriverInfo {
	info := GraphDriverInfo{Name: e.Store.Driver()}
	places, err := e.Store.LayerPlaces(c.LayerID)
	if err != nil {
		return info
	}
	if at, err := e.Store.MountPoint(c.ID); err != nil || at == "" {
		delete(places, "MergedDir")
	}
	info.Data = places
	return info
}

func mountInfo(c *container.Config) (mounts []MountInfo, binds []string) {
	mounts, binds = []MountInfo{}, []string{}
	for _, m := range c.Mounts {
		if m.Type == "tmpfs" || m.Type == "ramfs" || m.Type == "devpts" {
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

// exposedPorts are the exposed ports, one by one.
func exposedPorts(c *container.Config) []string {
	exposed, _ := network.ParseExposed(c.ExposedPorts) // they were read before
	var all []string
	for _, p := range exposed {
		all = append(all, p.Each()...)
	}
	return all
}

func (e *Engine) networkInfo(c *container.Config) *NetworkInfo {
	info := &NetworkInfo{Ports: portInfo(c.Published())}
	for _, p := range exposedPorts(c) {
		if _, ok := info.Ports[p]; !ok {
			info.Ports[p] = nil
		}
	}
	status := e.networkStatus(c.ID)
	if len(status) > 0 {
		info.SandboxKey = e.nsPath(c)
	}
	if mode := c.Network.Mode; mode == "none" || mode == "host" {
		info.Networks = map[string]*NetworkEndpoint{mode: {NetworkID: mode}}
	}
	for name := range c.Network.Networks {
		end := &NetworkEndpoint{EndpointInfo: endpointInfo(status[name]), NetworkID: e.networkID(name), Aliases: aliases(c, name)}
		if info.Networks == nil {
			info.Networks = map[string]*NetworkEndpoint{}
		}
		info.Networks[name] = end
		if name == e.defaultNetwork() {
			info.EndpointInfo = end.EndpointInfo
		}
	}
	return info
}

// networkID is the ID of a network, or its name where it is gone.
func (e *Engine) networkID(name string) string {
	m, err := e.networks()
	if err != nil {
		return name
	}
	n, err := m.Network(name)
	if err != nil || n.ID == "" {
		return name
	}
	return n.ID
}

func endpointInfo(status network.Status) EndpointInfo {
	var end EndpointInfo
	for _, link := range status.Interfaces {
		end.MacAddress = link.MAC
		for _, subnet := range link.Subnets {
			ones, bits := subnet.IPNet.Mask.Size()
			gateway := ""
			if subnet.Gateway != nil {
				gateway = subnet.Gateway.String()
			}
			const ipv6 = 128
			if bits == ipv6 {
				end.GlobalIPv6Address, end.GlobalIPv6PrefixLen, end.IPv6Gateway = subnet.IPNet.IP.String(), ones, gateway
			} else {
				end.IPAddress, end.IPPrefixLen, end.Gateway = subnet.IPNet.IP.String(), ones, gateway
			}
		}
	}
	return end
}

func (e *Engine) configInfo(c *container.Config) *ConfigInfo {
	info := &ConfigInfo{Hostname: e.hostname(c), User: c.User, Tty: c.Terminal, OpenStdin: c.Stdin, Env: c.Env, Cmd: c.Command, Image: c.Image,
		WorkingDir: c.WorkDir, Entrypoint: c.Entry, Labels: c.Labels, Annotations: pairs(c.Annotations),
		StopSignal: signalName(c.StopSignal), CreateCommand: c.CreatedBy, StopTimeout: c.StopTimeout,
		Umask: fmt.Sprintf("%04o", c.Umask), Timeout: c.Timeout, SdNotifyMode: first(c.SdNotify, container.NotifyContainer), SystemdMode: c.SystemdMode, Healthcheck: c.Health.Check, StartupHealthCheck: c.Health.Startup, HealthcheckOnFailureAction: first(c.Health.OnFailure, "none"),
		HealthLogDestination: first(c.Health.Destination, "local"), HealthMaxLogCount: deref(c.Health.MaxCount, defaultLogCount), HealthMaxLogSize: deref(c.Health.MaxSize, defaultLogSize)}
	info.AttachStdin, info.AttachStdout, info.AttachStderr = slices.Contains(c.Attach, "stdin"), slices.Contains(c.Attach, "stdout"), slices.Contains(c.Attach, "stderr")
	for _, s := range c.Secrets {
		if s.Type == container.SecretFile {
			info.Secrets = append(info.Secrets, SecretMountInfo{s.Name, s.ID, s.UID, s.GID, s.Mode})
		}
	}
	for _, p := range exposedPorts(c) {
		put(&info.ExposedPorts, p, struct{}{})
	}
	for _, published := range c.Network.Ports {
		for _, p := range published.Each() {
			put(&info.ExposedPorts, p, struct{}{})
		}
	}
	return info
}

func (e *Engine) hostInfo(c *container.Config) *HostInfo {
	h := &HostInfo{CgroupManager: e.cgroupManager(), CgroupMode: cgroupNamespace(c), ContainerIDFile: c.CIDFile, CgroupParent: c.CgroupParent,
		Cgroups: first(c.Cgroups, "default"), CgroupConf: c.CgroupConf,
		NetworkMode: c.Network.Mode, PortBindings: portInfo(c.Published()), AutoRemove: c.AutoRemove, Annotations: pairs(c.Annotations),
		CapAdd: list(c.Security.CapAdd), CapDrop: list(c.Security.CapDrop), Dns: list(c.Network.DNS), DnsOptions: list(c.Network.DNSOptions),
		DnsSearch: list(c.Network.DNSSearch), ExtraHosts: list(c.Network.AddHosts), GroupAdd: list(c.Groups), SecurityOpt: []string{},
		IpcMode: first(c.IPCMode, "shareable"), PidMode: first(c.PIDMode, "private"), UTSMode: first(c.UTSMode, "private"),
		Privileged: c.Security.Privileged, ReadonlyRootfs: c.Security.ReadOnly, ShmSize: c.ShmSize, Runtime: "oci", Devices: deviceInfo(c),
		Tmpfs: map[string]string{}, Ulimits: []UlimitInfo{}, PidsLimit: e.Config.Containers.PidsLimit,
		LogConfig: LogInfo{Type: c.LogDriver, Path: e.LogPath(c), Tag: c.LogTag, Size: "-1B"}, AutoRemoveImage: c.RemoveImage, OomScoreAdj: deref(c.OOMScoreAdj, 0)}
	if c.LogMax > 0 {
		h.LogConfig.Size = units.HumanSize(float64(c.LogMax))
	}
	h.Init, h.HostsFile = c.Init, c.Network.HostsFile
	h.RestartPolicy = RestartInfo{first(c.Restart.Policy, "no"), c.Restart.Retries}
	for _, o := range c.Security.ProcOpts {
		h.SecurityOpt = append(h.SecurityOpt, "proc-opts="+o)
	}
	if c.Security.AppArmor != "" {
		h.SecurityOpt = append(h.SecurityOpt, "apparmor="+c.Security.AppArmor)
	}
	if c.Security.NoNewPrivileges {
		h.SecurityOpt = append(h.SecurityOpt, "no-new-privileges")
	}
	if c.Security.Seccomp != "" {
		h.SecurityOpt = append(h.SecurityOpt, "seccomp="+c.Security.Seccomp)
	}
	h.UsernsMode, h.IDMappings = e.userNSInfo(c)
	for _, m := range c.Mounts {
		if m.Type == "tmpfs" {
			h.Tmpfs[m.Destination] = strings.Join(m.Options, ",")
		}
	}
	for _, l := range c.Rlimits {
		h.Ulimits = append(h.Ulimits, UlimitInfo{l.Type, int64(l.Soft), int64(l.Hard)})
	}
	if c.Resources != nil {
		h.limits(c.Resources)
	}
	return h
}

// limits tells of the container's limits.
func (h *HostInfo) limits(r *specs.LinuxResources) {
	if m := r.Memory; m != nil {
		h.Memory, h.MemoryReservation, h.MemorySwap, h.MemorySwappiness = value(m.Limit), value(m.Reservation), value(m.Swap), -1
		if m.Swappiness != nil {
			h.MemorySwappiness = int64(*m.Swappiness)
		}
		h.OomKillDisable = value(m.DisableOOMKiller)
	}
	if cpu := r.CPU; cpu != nil {
		h.CpuShares, h.CpuPeriod, h.CpuQuota, h.CpusetCpus, h.CpusetMems = value(cpu.Shares), value(cpu.Period), value(cpu.Quota), cpu.Cpus, cpu.Mems
		h.CpuRealtimePeriod, h.CpuRealtimeRuntime = value(cpu.RealtimePeriod), value(cpu.RealtimeRuntime)
		if h.CpuPeriod > 0 && h.CpuQuota > 0 {
			h.NanoCpus = int64(float64(h.CpuQuota) / float64(h.CpuPeriod) * 1e9)
		}
	}
	if r.Pids != nil {
		h.PidsLimit = value(r.Pids.Limit)
	}
	b := r.BlockIO
	if b == nil {
		return
	}
	h.BlkioWeight = value(b.Weight)
	for _, d := range b.WeightDevice {
		h.BlkioWeightDevice = append(h.BlkioWeightDevice, WeightInfo{devicePath(d.Major, d.Minor), value(d.Weight)})
	}
	for _, rate := range []struct {
		to   *[]RateInfo
		from []specs.LinuxThrottleDevice
	}{
		{&h.BlkioDeviceReadBps, b.ThrottleReadBpsDevice}, {&h.BlkioDeviceWriteBps, b.ThrottleWriteBpsDevice},
		{&h.BlkioDeviceReadIOps, b.ThrottleReadIOPSDevice}, {&h.BlkioDeviceWriteIOps, b.ThrottleWriteIOPSDevice},
	} {
		for _, d := range rate.from {
			*rate.to = append(*rate.to, RateInfo{devicePath(d.Major, d.Minor), d.Rate})
		}
	}
}

// devicePath names a block device as the kernel does, or by its numbers.
func devicePath(major, minor int64) string {
	numbers := fmt.Sprintf("%d:%d", major, minor)
	link, err := os.Readlink("/sys/dev/block/" + numbers)
	if err != nil {
		return numbers
	}
	return "/dev/" + filepath.Base(link)
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func pairs(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
