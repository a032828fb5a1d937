package engine

import (
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/imgcopy"
)

// CreateRequest asks for a container, as the user put it; Create fills in the
// defaults and refuses what makes no sense.
type CreateRequest struct {
	Image       string
	Rootfs      bool // Image is a directory of the host's, which is the container's root
	Command     []string
	Name        string
	Replace     bool
	PullOptions imgcopy.PullOptions // the policy aside
	Pull        string              // always, missing, never or newer; "" is the configured one

	Entrypoint  *string // a word, or a JSON list; nil keeps the image's
	Env         []string
	EnvFiles    []string
	UnsetEnv    []string
	UnsetEnvAll bool     // all but what the user gives
	EnvMerge    []string // NAME=VALUE, with ${NAME} for what the variable is
	EnvHost     bool
	HTTPProxy   *bool // nil is the configuration's
	WorkDir     string
	User        string
	Groups      []string
	Hostname    string
	Labels      []string
	LabelFiles  []string
	Annotations []string

	Terminal                bool
	Interactive             bool
	AutoRemove              bool
	StopSignal              string
	StopTimeout             uint // seconds, if StopTimeoutSet
	DetachKeys              string
	Restart                 string // a policy: no, always, unless-stopped, on-failure[:N]
	Health                  HealthRequest
	LogDriver               string
	LogOpts                 []string
	Timeout                 uint // seconds the process may run; 0 is without limit
	RemoveImage             bool
	PidFile, MonitorPidFile string
	Timezone                string
	Umask                   string // octal
	OOMScoreAdj             *int
	OOMKillDisable          bool
	Devices                 []string // HOST[:CONTAINER][:ACCESS], or vendor.com/class=name
	GPUs                    []string // names of nvidia.com/gpu devices
	RdtClass                string   // a class of Intel RDT
	DeviceRules             []string
	CgroupNS                string // private, host or container:NAME
	Cgroups                 string // enabled, disabled, no-conmon or split; "" is the configured one
	CgroupParent            string // a path, or a slice of systemd's
	CgroupConf              []string
	Systemd                 string // true, false or always
	ShmSizeSystemd          string
	SdNotify                string // container, conmon, healthy or ignore
	CIDFile                 string

	// What the user said themselves; else the configuration's value counts.
	StopTimeoutSet, ReadOnlySet, PrivilegedSet, NoHostsSet bool

	Init        *bool    // a first process that collects orphans; nil is the configuration's
	InitPath    string   // another program of the host's for that; "" is the configured or our own one
	NoPasswd    bool     // /etc/passwd and /etc/group stay as they are in the image
	PasswdEntry string   // a line with $UID, $GID, $NAME, $USERNAME and $HOME; "" is the usual one
	GroupEntry  string   // likewise, with $GID, $GROUPNAME and $USERLIST
	ChrootDirs  []string // directories that get the network's files, too
	Personality string   // LINUX or LINUX32
	Attach      []string // what docker would attach to at the start: stdin, stdout, stderr; told by inspect
	HostUsers   []string // names or numbers of the host's users that the container has, too

	Pod       string   // a pod's name or ID, or new:NAME to make one
	PodIDFile string   // a file with a pod's ID, instead
	InitCtr   string   // always or once: a pod's init container
	Requires  []string // containers that have to be started first

	Secrets         []string // NAME[,key=value…]
	Volumes         []string
	Mounts          []string
	Tmpfs           []string
	ReadOnly        bool
	NoReadOnlyTmpfs bool
	VolumesFrom     []string
	ImageVolume     string // anonymous, tmpfs or ignore

	Network        []string
	Publish        []string
	PublishAll     bool
	Expose         []string
	DNS            []string
	DNSSearch      []string
	DNSOptions     []string
	AddHosts       []string
	NoHosts        bool   // /etc/hosts stays as it is in the image
	HostsFile      string // what /etc/hosts begins with: a path, "image" or "none"; "" is the configured one
	NoHostname     bool   // /etc/hostname stays as it is in the image
	IP, IP6        string
	MAC            string
	NetworkAliases []string
	PID, IPC, UTS  string

	Privileged  bool
	CapAdd      []string
	CapDrop     []string
	SecurityOpt []string
	// SeccompPolicy is default, or image for the profile in the image's labels.
	SeccompPolicy string
	Sysctl        []string
	Ulimits       []string
	ShmSize       string

	UserNSRequest
	ResourceRequest

	CreatedBy []string // the command line, for inspect
}

// HealthRequest asks for health checks. What is nil is the image's, on an
// update the container's, or the default.
type HealthRequest struct {
	None                           bool    // whatever the image says
	Cmd                            *string // a line for the shell, a JSON list of arguments, or none
	Interval, Timeout, StartPeriod *string // durations; the interval may be "disable"
	Retries                        *uint
	StartupCmd, StartupInterval    *string
	StartupTimeout                 *string
	StartupRetries, StartupSuccess *uint
	OnFailure                      *string // none, kill, restart, stop
	LogDestination                 *string // local, events_logger or a directory
	MaxLogCount, MaxLogSize        *uint
}

// ResourceRequest asks for limits on what a container may use. An empty or
// zero one is no limit; amounts and rates are as the user wrote them.
type ResourceRequest struct {
	Memory             string
	MemoryReservation  string
	MemorySwap         string
	MemorySwappiness   *int64 // nil or -1 is the system's
	CPUs               float64
	CPUShares          uint64
	CPUQuota           int64
	CPUPeriod          uint64
	CPURTPeriod        uint64
	CPURTRuntime       int64
	CPUSetCPUs         string
	CPUSetMems         string
	PidsLimit          int64
	PidsLimitSet       bool
	BlkioWeight        string
	BlkioWeightDevices []string // DEVICE:WEIGHT
	ReadBps, WriteBps  []string // DEVICE:RATE
	ReadIOps           []string
	WriteIOps          []string
}

// Container is what a listing and a look-up give: the summary with the
// present state.
type Container struct {
	ID      string
	Name    string
	ImageID string
	container.Summary
	Status
}
