package engine

import (
	"slices"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/runtime"
)

// PodInfo is what pod inspect prints, with the reference's keys in its order.
// The names of fields are those of templates.
type PodInfo struct {
	ID                  string `json:"Id"`
	Name                string
	Namespace           string `json:",omitempty"`
	Created             time.Time
	CreateCommand       []string `json:",omitempty"`
	ExitPolicy          string
	State               string
	Hostname            string
	Labels              map[string]string `json:",omitempty"`
	CreateCgroup        bool
	CgroupParent        string `json:",omitempty"`
	CgroupPath          string `json:",omitempty"`
	CreateInfra         bool
	InfraContainerID    string       `json:",omitempty"`
	InfraConfig         *PodInfra    `json:",omitempty"`
	SharedNamespaces    []string     `json:",omitempty"`
	NumContainers       int          `json:"NumContainers"`
	Containers          []PodMember  `json:",omitempty"`
	CPUPeriod           uint64       `json:"cpu_period,omitempty"`
	CPUQuota            int64        `json:"cpu_quota,omitempty"`
	CPUShares           uint64       `json:"cpu_shares,omitempty"`
	CPUSetCPUs          string       `json:"cpuset_cpus,omitempty"`
	CPUSetMems          string       `json:"cpuset_mems,omitempty"`
	Mounts              []MountInfo  `json:"mounts,omitempty"`
	Devices             []DeviceInfo `json:"devices,omitempty"`
	BlkioDeviceReadBps  []RateInfo   `json:"device_read_bps,omitempty"`
	BlkioDeviceWriteBps []RateInfo   `json:"device_write_bps,omitempty"`
	VolumesFrom         []string     `json:"volumes_from,omitempty"`
	SecurityOpts        []string     `json:"security_opt,omitempty"`
	MemoryLimit         uint64       `json:"memory_limit,omitempty"`
	MemorySwap          uint64       `json:"memory_swap,omitempty"`
	BlkioWeight         uint64       `json:"blkio_weight,omitempty"`
	BlkioWeightDevice   []WeightInfo `json:"blkio_weight_device,omitempty"`
	RestartPolicy       string       `json:"RestartPolicy,omitempty"`
	LockNumber          int
}

// PodInfra is how a pod is connected, by its infra container.
type PodInfra struct {
	PortBindings       map[string][]HostPort
	HostNetwork        bool
	StaticIP           string
	StaticMAC          string
	NoManageResolvConf bool
	DNSServer          []string
	DNSSearch          []string
	DNSOption          []string
	NoManageHostname   bool
	NoManageHosts      bool
	HostAdd            []string
	HostsFile          string
	Networks           []string
	NetworkOptions     map[string][]string
	CPUPeriod          uint64 `json:"cpu_period,omitempty"`
	CPUQuota           int64  `json:"cpu_quota,omitempty"`
	CPUSetCPUs         string `json:"cpuset_cpus,omitempty"`
	PidNS              string `json:"pid_ns,omitempty"`
	UserNS             string `json:"userns,omitempty"`
	UtsNS              string `json:"uts_ns,omitempty"`
}

// PodMember is a container in a pod's description.
type PodMember struct {
	ID    string `json:"Id"`
	Name  string
	State string
}

// InspectPod tells all of a pod.
func (e *Engine) InspectPod(nameOrID string) (*PodInfo, error) {
	p, err := e.Pod(nameOrID)
	if err != nil {
		return nil, err
	}
	info := &PodInfo{ID: p.ID, Name: p.Name, Created: p.Created, CreateCommand: p.CreatedBy, ExitPolicy: p.ExitPolicy, State: p.State(),
		Hostname: p.Hostname, Labels: p.Labels, CreateCgroup: p.CgroupPath != "", CgroupParent: p.CgroupParent, CgroupPath: runtime.SlicePath(p.CgroupPath),
		CreateInfra: p.InfraID != "", InfraContainerID: p.InfraID, SharedNamespaces: p.Share, NumContainers: len(p.Containers),
		SecurityOpts: p.SecurityOpt, RestartPolicy: p.Restart}
	for _, c := range p.Containers {
		info.Containers = append(info.Containers, PodMember{c.ID, c.Name, c.State})
	}
	slices.SortFunc(info.Containers, func(a, b PodMember) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	if p.InfraID != "" {
		c, err := e.configuration(p.InfraID)
		if err == nil {
			info.infra(e, c)
		} else if !isNotFound(err) {
			return nil, err
		}
	}
	if p.Resources != nil {
		info.limits(p.Resources)
	}
	return info, nil
}

// podUserNS is how inspect names the pod's user namespace.
func podUserNS(c *container.Config) string {
	if c.UserNS.Mode == "" {
		return "host"
	}
	return "private"
}

// infra tells what is written with the infra container.
func (info *PodInfo) infra(e *Engine, c *container.Config) {
	n := &c.Network
	i := &PodInfra{PortBindings: portInfo(n.Ports), HostNetwork: n.Mode == "host", DNSServer: n.DNS, DNSSearch: n.DNSSearch, DNSOption: n.DNSOptions,
		NoManageResolvConf: n.NoResolvConf, NoManageHosts: n.NoHosts, HostAdd: n.AddHosts, PidNS: first(c.PIDMode, "private"), UserNS: podUserNS(c), UtsNS: first(c.UTSMode, "private")}
	ep := e.endpoint(c)
	for _, name := range ep.Order() {
		i.Networks = append(i.Networks, name)
		if per := n.Networks[name]; i.StaticIP == "" && len(per.StaticIPs) > 0 {
			i.StaticIP = per.StaticIPs[0].String()
			i.StaticMAC = per.StaticMAC
		}
	}
	info.InfraConfig = i
	info.Mounts, _ = mountInfo(c)
	info.Devices = deviceInfo(c)
}

// limits tells of the limits on all containers together.
func (info *PodInfo) limits(r *specs.LinuxResources) {
	h := new(HostInfo)
	h.limits(r)
	info.CPUPeriod, info.CPUQuota, info.CPUShares, info.CPUSetCPUs, info.CPUSetMems = h.CpuPeriod, h.CpuQuota, h.CpuShares, h.CpusetCpus, h.CpusetMems
	info.MemoryLimit, info.MemorySwap = uint64(max(h.Memory, 0)), uint64(max(h.MemorySwap, 0))
	info.BlkioWeight, info.BlkioWeightDevice = uint64(h.BlkioWeight), h.BlkioWeightDevice
	info.BlkioDeviceReadBps, info.BlkioDeviceWriteBps = h.BlkioDeviceReadBps, h.BlkioDeviceWriteBps
	if info.InfraConfig != nil {
		info.InfraConfig.CPUPeriod, info.InfraConfig.CPUQuota, info.InfraConfig.CPUSetCPUs = h.CpuPeriod, h.CpuQuota, h.CpusetCpus
	}
}
