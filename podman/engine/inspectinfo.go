package engine

import (
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
)

// ContainerInfo is what inspect prints of a container, with the reference's
// keys in its order. The names of fields are those of templates.
type ContainerInfo struct {
	ID                      string `json:"Id"`
	Created                 time.Time
	Path                    string
	Args                    []string
	State                   *StateInfo
	Image                   string
	ImageDigest             string
	ImageName               string
	Rootfs                  string
	Pod                     string
	ResolvConfPath          string
	HostnamePath            string
	HostsPath               string
	StaticDir               string
	OCIConfigPath           string `json:",omitempty"`
	OCIRuntime              string
	ConmonPidFile           string
	PidFile                 string
	Name                    string
	RestartCount            int
	Driver                  string
	MountLabel              string
	ProcessLabel            string
	AppArmorProfile         string
	EffectiveCaps           []string
	BoundingCaps            []string
	ExecIDs                 []string
	GraphDriver             GraphDriverInfo
	SizeRw                  *int64 `json:",omitempty"`
	SizeRootFs              *int64 `json:",omitempty"`
	Mounts                  []MountInfo
	Dependencies            []string
	NetworkSettings         *NetworkInfo
	Namespace               string
	IsInfra                 bool
	IsService               bool
	KubeExitCodePropagation string
	LockNumber              int `json:"lockNumber"`
	Config                  *ConfigInfo
	HostConfig              *HostInfo
	UseImageHosts           bool
	UseImageHostname        bool
}

// Id is the ID under the name that templates of the reference use as well.
//
//nolint:revive // the name is the template's
func (c *ContainerInfo) Id() string { return c.ID }

// StateInfo is a container's state.
type StateInfo struct {
	OciVersion     string
	Status         string
	Running        bool
	Paused         bool
	Restarting     bool
	OOMKilled      bool
	Dead           bool
	Pid            int
	ConmonPid      int `json:",omitempty"`
	ExitCode       int
	Error          string
	StartedAt      time.Time
	FinishedAt     time.Time
	Health         *HealthInfo `json:",omitempty"`
	CgroupPath     string      `json:",omitempty"`
	CheckpointedAt time.Time
	RestoredAt     time.Time
}

// Healthcheck is the health under its older name.
func (s *StateInfo) Healthcheck() *HealthInfo { return s.Health }

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
	Bridge                 string
	SandboxID              string
	HairpinMode            bool
	LinkLocalIPv6Address   string
	LinkLocalIPv6PrefixLen int
	Ports                  map[string][]HostPort
	SandboxKey             string
	Networks               map[string]*NetworkEndpoint `json:",omitempty"`
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
}

// NetworkEndpoint is what is told of a network beside the place on it.
type NetworkEndpoint struct {
	EndpointInfo
	NetworkID  string
	DriverOpts map[string]string
	IPAMConfig map[string]string
	Links      []string
	Aliases    []string `json:",omitempty"`
}

// ConfigInfo is the process's configuration.
type ConfigInfo struct {
	Hostname                   string
	DomainName                 string `json:"Domainname"`
	User                       string
	AttachStdin                bool
	AttachStdout               bool
	AttachStderr               bool
	ExposedPorts               map[string]struct{} `json:",omitempty"`
	Tty                        bool
	OpenStdin                  bool
	StdinOnce                  bool
	Env                        []string
	Cmd                        []string
	Image                      string
	Volumes                    map[string]struct{}
	WorkingDir                 string
	Entrypoint                 []string
	OnBuild                    *string
	Labels                     map[string]string
	Annotations                map[string]string
	StopSignal                 string
	Healthcheck                *container.Check        `json:",omitempty"`
	StartupHealthCheck         *container.StartupCheck `json:",omitempty"`
	HealthcheckOnFailureAction string
	HealthLogDestination       string
	HealthMaxLogCount          uint `json:"HealthcheckMaxLogCount"`
	HealthMaxLogSize           uint `json:"HealthcheckMaxLogSize"`
	CreateCommand              []string
	Umask                      string
	Secrets                    []SecretMountInfo `json:",omitempty"`
	Timeout                    uint
	StopTimeout                uint
	Passwd                     *bool
	SdNotifyMode               string `json:"sdNotifyMode"`
	SystemdMode                bool   `json:",omitempty"`
}

// SecretMountInfo is a secret that the container has as a file.
type SecretMountInfo struct {
	Name     string
	ID       string
	UID, GID uint32
	Mode     uint32 // in decimal
}

// LogInfo is where a container's output goes.
type LogInfo struct {
	Type   string
	Config map[string]string
	Path   string
	Tag    string
	Size   string
}

// DeviceInfo is a device of the host's in the container.
type DeviceInfo struct {
	PathOnHost        string
	PathInContainer   string
	CgroupPermissions string
}

func deviceInfo(c *container.Config) []DeviceInfo {
	all := []DeviceInfo{}
	for _, d := range c.Devices {
		all = append(all, DeviceInfo{d.Host, d.Path, d.Access})
	}
	return all
}

// WeightInfo and RateInfo are limits of one block device.
type (
	WeightInfo struct {
		Path   string
		Weight uint16
	}
	RateInfo struct {
		Path string
		Rate uint64
	}
)

// UlimitInfo is a resource limit of the process.
type UlimitInfo struct {
	Name string
	Soft int64
	Hard int64
}

// RestartInfo is what happens when the container has ended by itself.
type RestartInfo struct {
	Name              string
	MaximumRetryCount uint
}

// IDMapsInfo are the maps of a user namespace, "CONTAINER_ID:HOST_ID:SIZE".
type IDMapsInfo struct {
	UidMap []string
	GidMap []string
}

// HostInfo is what the host lets the container do.
type HostInfo struct {
	Binds                []string
	CgroupManager        string
	CgroupMode           string
	ContainerIDFile      string
	LogConfig            LogInfo
	NetworkMode          string
	PortBindings         map[string][]HostPort
	RestartPolicy        RestartInfo
	AutoRemove           bool
	AutoRemoveImage      bool
	Annotations          map[string]string
	VolumeDriver         string
	VolumesFrom          []string
	CapAdd               []string
	CapDrop              []string
	Dns                  []string
	DnsOptions           []string
	DnsSearch            []string
	ExtraHosts           []string
	HostsFile            string
	GroupAdd             []string
	IpcMode              string
	Cgroup               string
	Cgroups              string
	Links                []string
	OomScoreAdj          int
	PidMode              string
	Privileged           bool
	PublishAllPorts      bool
	ReadonlyRootfs       bool
	SecurityOpt          []string
	Tmpfs                map[string]string
	UTSMode              string
	UsernsMode           string
	IDMappings           *IDMapsInfo
	ShmSize              int64
	Runtime              string
	ConsoleSize          [2]uint
	Isolation            string
	CpuShares            uint64
	Memory               int64
	NanoCpus             int64
	CgroupParent         string
	BlkioWeight          uint16
	BlkioWeightDevice    []WeightInfo
	BlkioDeviceReadBps   []RateInfo
	BlkioDeviceWriteBps  []RateInfo
	BlkioDeviceReadIOps  []RateInfo
	BlkioDeviceWriteIOps []RateInfo
	CpuPeriod            uint64
	CpuQuota             int64
	CpuRealtimePeriod    uint64
	CpuRealtimeRuntime   int64
	CpusetCpus           string
	CpusetMems           string
	Devices              []DeviceInfo
	DiskQuota            uint64
	KernelMemory         int64
	MemoryReservation    int64
	MemorySwap           int64
	MemorySwappiness     int64
	OomKillDisable       bool
	Init                 bool `json:",omitempty"`
	PidsLimit            int64
	Ulimits              []UlimitInfo
	CpuCount             uint64
	CpuPercent           uint64
	IOMaximumIOps        uint64
	IOMaximumBandwidth   uint64
	CgroupConf           map[string]string
}
