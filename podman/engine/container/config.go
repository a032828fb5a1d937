package container

import (
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/podsuite/podsuite/shared/userns"
)

// ConfigKey and SpecKey name the pieces of data that lie with a container in
// the store.
const ConfigKey = "podman-config"

// Config is a container as the user asked for it, defaults filled in. It is
// written with the container, in the same store call; rename and update
// replace it as a whole.
type Config struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Image     string    `json:"image"`            // the image's full name, as ps shows it
	ImageID   string    `json:"imageID"`          // 64 hexadecimal digits
	Rootfs    string    `json:"rootfs,omitempty"` // a directory of the host's in the place of an image
	RawImage  string    `json:"rawImage"`         // the image as the user named it
	Created   time.Time `json:"created"`
	Command   []string  `json:"command"`   // the user's or the image's command, without the entry point
	Entry     []string  `json:"entry"`     // the entry point
	CreatedBy []string  `json:"createdBy"` // the command line that made the container

	Env          []string          `json:"env"`
	WorkDir      string            `json:"workDir"`
	WorkDirAsked bool              `json:"workDirAsked,omitempty"` // named by the user: it has to be there
	User         string            `json:"user"`
	NoPasswd     bool              `json:"noPasswd,omitempty"`    // /etc/passwd and /etc/group stay as they are
	PasswdEntry  string            `json:"passwdEntry,omitempty"` // lines for the user and the group where the image has none
	GroupEntry   string            `json:"groupEntry,omitempty"`
	HostUsers    []string          `json:"hostUsers,omitempty"`
	Init         bool              `json:"init,omitempty"`     // the command has a first process of ours above it
	InitPath     string            `json:"initPath,omitempty"` // a program of the host's in its place
	Groups       []string          `json:"groups,omitempty"`
	Umask        uint32            `json:"umask"`
	Hostname     string            `json:"hostname,omitempty"`
	NoHostname   bool              `json:"noHostname,omitempty"` // /etc/hostname stays as it is in the image
	Labels       map[string]string `json:"labels,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`

	ChrootDirs  []string `json:"chrootDirs,omitempty"`  // directories that get the network's files, too
	Personality string   `json:"personality,omitempty"` // LINUX or LINUX32

	Terminal       bool     `json:"terminal,omitempty"`
	Attach         []string `json:"attach,omitempty"` // the streams that create was told to attach
	Stdin          bool     `json:"stdin,omitempty"`
	AutoRemove     bool     `json:"autoRemove,omitempty"`
	RemoveImage    bool     `json:"removeImage,omitempty"` // with the container, if nobody else uses it
	Timeout        uint     `json:"timeout,omitempty"`     // seconds the process may run, 0 without limit
	PidFile        string   `json:"pidFile,omitempty"`     // files for service managers
	MonitorPidFile string   `json:"monitorPidFile,omitempty"`
	CIDFile        string   `json:"cidFile,omitempty"` // where the ID was written for scripts
	StopSignal     int      `json:"stopSignal"`
	StopTimeout    uint     `json:"stopTimeout"` // seconds
	DetachKeys     string   `json:"detachKeys,omitempty"`
	LogDriver      string   `json:"logDriver"`
	LogPath        string   `json:"logPath,omitempty"`
	LogMax         int64    `json:"logMax,omitempty"` // bytes; 0 without limit
	LogTag         string   `json:"logTag,omitempty"`
	Runtime        string   `json:"runtime"`
	Restart        Restart  `json:"restart,omitzero"`
	Health         Health   `json:"health,omitzero"`

	Pod      string                `json:"pod,omitempty"`      // the ID of the pod that the container is in
	PodName  string                `json:"podName,omitempty"`  // a pod keeps its name
	PodPorts []network.PortMapping `json:"podPorts,omitempty"` // what the pod publishes, where its network is shared
	Infra    bool                  `json:"infra,omitempty"`    // it holds the pod's namespaces
	InitCtr  string                `json:"initCtr,omitempty"`  // runs before the pod's other containers: InitAlways or InitOnce
	Requires []string              `json:"requires,omitempty"` // IDs of containers that have to run before it

	Cgroups         string                    `json:"cgroups,omitempty"`      // "" is enabled; CgroupsDisabled, CgroupsNoMonitor or CgroupsSplit
	CgroupConf      map[string]string         `json:"cgroupConf,omitempty"`   // files of cgroup v2 and what is written to them
	CgroupParent    string                    `json:"cgroupParent,omitempty"` // "" is the default one
	CgroupNSMode    string                    `json:"cgroupNSMode,omitempty"` // "" or "private", "host", "container:ID"
	Mounts          []Mount                   `json:"mounts,omitempty"`
	Devices         []Device                  `json:"devices,omitempty"`
	CDIDevices      []string                  `json:"cdiDevices,omitempty"` // vendor.com/class=name
	RdtClass        string                    `json:"rdtClass,omitempty"`
	DeviceRules     []specs.LinuxDeviceCgroup `json:"deviceRules,omitempty"`
	NoReadOnlyTmpfs bool                      `json:"noReadOnlyTmpfs,omitempty"` // a read-only container has no /tmp of its own
	SystemdMode     bool                      `json:"systemdMode,omitempty"`     // made for systemd to run in
	SystemdShm      int64                     `json:"systemdShm,omitempty"`      // bytes of its tmpfs each; 0 is the kernel's default
	SdNotify        string                    `json:"sdNotify,omitempty"`        // who says that it is ready; "" is NotifyContainer
	Timezone        string                    `json:"timezone,omitempty"`        // "local" is the host's
	OOMScoreAdj     *int                      `json:"oomScoreAdj,omitempty"`
	Secrets         []Secret                  `json:"secrets,omitempty"`
	Network         Network                   `json:"network"`
	PIDMode         string                    `json:"pidMode,omitempty"` // "" = private, "host", "container:ID"
	IPCMode         string                    `json:"ipcMode,omitempty"` // likewise, "none": without shared memory, or "shareable": others may join
	UTSMode         string                    `json:"utsMode,omitempty"`
	UserNS          UserNS                    `json:"userNS,omitzero"`
	Security        Security                  `json:"security"`
	Resources       *specs.LinuxResources     `json:"resources,omitempty"`
	Rlimits         []specs.POSIXRlimit       `json:"rlimits,omitempty"`
	Sysctl          map[string]string         `json:"sysctl,omitempty"`
	ShmSize         int64                     `json:"shmSize"`                // bytes
	ExposedPorts    []string                  `json:"exposedPorts,omitempty"` // "5000/tcp", from the image and --expose

	Next *Parts `json:"next,omitempty"` // what update has changed since it runs
}

// Parts are what a container gets at its start and keeps until it ends.
type Parts struct {
	Ports  []network.PortMapping `json:"ports,omitempty"`
	Mounts []Mount               `json:"mounts,omitempty"`
}

// TakeNext gives the container the parts that its next run is to have.
func (c *Config) TakeNext() {
	if c.Next != nil {
		c.Network.Ports, c.Mounts, c.Next = c.Next.Ports, c.Next.Mounts, nil
	}
}

// Modes of a user namespace of the container's own.
const (
	UserAuto    = "auto"    // IDs that no other container has, chosen when it is made
	UserPrivate = "private" // the maps that are written here
)

// UserNS is the container's user namespace.
type UserNS struct {
	Mode  string      `json:"mode,omitempty"` // "" is the host's; UserAuto, UserPrivate, container:ID or ns:PATH
	Maps  userns.Maps `json:"maps,omitzero"`  // with UserAuto those that were asked for; the store knows the chosen ones
	Size  uint32      `json:"size,omitempty"` // with UserAuto; 0 is what the image needs, but
	Least uint32      `json:"least,omitempty"`
	User  string      `json:"user,omitempty"` // whom keep-id makes the process, and those that join a pod
}

// Device is a device of the host's, or a directory of some.
type Device struct {
	Host   string `json:"host"`
	Path   string `json:"path"`   // in the container
	Access string `json:"access"` // of r, w and m
}

// The ways other than enabled to make control groups.
const (
	CgroupsDisabled  = "disabled"  // none: the container stays in the monitor's
	CgroupsNoMonitor = "no-conmon" // the monitor stays where it was started
	CgroupsSplit     = "split"     // monitor and container below the one of whoever starts them
)

// Who tells a service manager that the container is ready.
const (
	NotifyContainer = "container" // itself
	NotifyMonitor   = "conmon"    // podman, when it has started
	NotifyHealthy   = "healthy"   // podman, when it is healthy
	NotifyIgnore    = "ignore"    // nobody
)

// When an init container of a pod runs.
const (
	InitAlways = "always" // each time the pod is started
	InitOnce   = "once"   // the first time; then it is removed
)

// Restart is what happens when the container has ended by itself.
type Restart struct {
	Policy  string `json:"policy,omitempty"`  // no, always, on-failure or unless-stopped; "" is no
	Retries uint   `json:"retries,omitempty"` // of on-failure; 0 is without end
}

// Restarts says whether the policy ever brings the container back.
func (r Restart) Restarts() bool { return r.Policy != "" && r.Policy != "no" }

// Health is how the container's health is looked after.
type Health struct {
	Check       *Check        `json:"check,omitempty"`       // nil: not at all
	Startup     *StartupCheck `json:"startup,omitempty"`     // goes before Check
	OnFailure   string        `json:"onFailure,omitempty"`   // kill, restart or stop; "" or none is nothing
	Destination string        `json:"destination,omitempty"` // a directory, events_logger, or local, which is ""
	MaxCount    *uint         `json:"maxCount,omitempty"`    // results that are kept, 0 is all; nil is 5
	MaxSize     *uint         `json:"maxSize,omitempty"`     // characters of output that are kept, 0 is all; nil is 500
}

// Check is a health check, with inspect's keys. Durations are nanoseconds.
type Check struct {
	Test          []string      `json:",omitempty"` // NONE, CMD and arguments, or CMD-SHELL and a line
	StartPeriod   time.Duration `json:",omitempty"` // failures count for nothing so long
	StartInterval time.Duration `json:",omitempty"` // and the check runs that often; 0 is as always
	Interval      time.Duration `json:",omitempty"` // 0 is by hand only
	Timeout       time.Duration `json:",omitempty"`
	Retries       int           `json:",omitempty"` // failures in a row that make it unhealthy
}

// StartupCheck gates the regular check.
type StartupCheck struct {
	Check
	Successes int `json:",omitempty"` // that it takes
}

// Checked says whether the container has a health check.
func (h *Health) Checked() bool {
	return h.Check != nil && len(h.Check.Test) > 0 && h.Check.Test[0] != "NONE"
}

// SecretFile and SecretEnv are the ways in which a container gets a secret.
const (
	SecretFile = "mount"
	SecretEnv  = "env"
)

// Secret is a secret that the container gets. Its data lies with the
// container under SecretKey.
type Secret struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Type   string `json:"type"`   // SecretFile or SecretEnv
	Target string `json:"target"` // a path, below /run/secrets unless absolute, or the variable's name
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	Mode   uint32 `json:"mode"`
}

// SecretKey names a secret's data with the container in the store.
func SecretKey(id string) string { return "secret-" + id }

// Mount is a file system that the user or the image asked for.
type Mount struct {
	Type        string   `json:"type"`             // bind, volume, tmpfs, image, ramfs or devpts
	Name        string   `json:"name,omitempty"`   // of the volume
	Source      string   `json:"source,omitempty"` // on the host; a volume's data directory
	Destination string   `json:"destination"`
	SubPath     string   `json:"subPath,omitempty"` // what of a volume or an image is mounted; "" is all
	Options     []string `json:"options,omitempty"`
	Anonymous   bool     `json:"anonymous,omitempty"` // a volume that goes with the container
	CopyUp      bool     `json:"copyUp,omitempty"`    // an empty volume gets what the image has there
}

// Network is how the container is connected.
type Network struct {
	Mode         string                        `json:"mode"` // bridge, host, none, pasta, private, container:ID or ns:PATH
	Networks     map[string]network.PerNetwork `json:"networks,omitempty"`
	Ports        []network.PortMapping         `json:"ports,omitempty"`
	DNS          []string                      `json:"dns,omitempty"`
	DNSSearch    []string                      `json:"dnsSearch,omitempty"`
	DNSOptions   []string                      `json:"dnsOptions,omitempty"`
	AddHosts     []string                      `json:"addHosts,omitempty"`     // "name[;name...]:address"
	PastaOptions []string                      `json:"pastaOptions,omitempty"` // words for pasta's command line
	NoHosts      bool                          `json:"noHosts,omitempty"`      // the image's /etc/hosts stays as it is
	HostsFile    string                        `json:"hostsFile,omitempty"`    // what it begins with: a path, "image" or "none"; "" is the configured one
	NoResolvConf bool                          `json:"noResolvConf,omitempty"` // likewise
}

// Security is what the container may do.
type Security struct {
	Privileged      bool     `json:"privileged,omitempty"`
	ReadOnly        bool     `json:"readOnly,omitempty"`
	NoNewPrivileges bool     `json:"noNewPrivileges,omitempty"`
	CapAdd          []string `json:"capAdd,omitempty"`
	CapDrop         []string `json:"capDrop,omitempty"`
	Seccomp         string   `json:"seccomp,omitempty"`     // a profile's path, "unconfined", or "" for the default
	SeccompText     string   `json:"seccompText,omitempty"` // the profile itself, from the image
	AppArmor        string   `json:"appArmor,omitempty"`    // a profile, "unconfined", or "" for the default
	ProcOpts        []string `json:"procOpts,omitempty"`    // options of the mount of /proc
	Unmask          []string `json:"unmask,omitempty"`
	Mask            []string `json:"mask,omitempty"`
}

// Args is the whole command line of the container's process.
func (c *Config) Args() []string {
	return append(append([]string(nil), c.Entry...), c.Command...)
}

// InitProgram is where a container that has one finds its init program.
const InitProgram = "/run/podman-init"

// FirstArgs is the command line of the first process: init's, where the
// container has that.
func (c *Config) FirstArgs() []string {
	if !c.Init {
		return c.Args()
	}
	return append([]string{InitProgram, "--"}, c.Args()...)
}

// Summary is what ps needs to know of a container. The store keeps it in its
// list of containers, so that a listing opens no file per container for it;
// keep it small, the list is rewritten whole.
type Summary struct {
	Image      string                `json:"image"`
	Command    []string              `json:"command,omitempty"`
	Created    int64                 `json:"created"` // Unix nanoseconds
	Labels     map[string]string     `json:"labels,omitempty"`
	Ports      []network.PortMapping `json:"ports,omitempty"`
	Exposed    []string              `json:"exposed,omitempty"`
	Networks   []string              `json:"networks,omitempty"`
	Mounts     []string              `json:"mounts,omitempty"`
	AutoRemove bool                  `json:"autoRemove,omitempty"`
	Depends    []string              `json:"depends,omitempty"` // names or IDs of containers whose parts it uses
	CIDFile    string                `json:"cidFile,omitempty"`
	Checked    bool                  `json:"checked,omitempty"` // it has a health check
	Pod        string                `json:"pod,omitempty"`
	PodName    string                `json:"podName,omitempty"`
	Infra      bool                  `json:"infra,omitempty"`
	InitCtr    string                `json:"initCtr,omitempty"`
	// Owner tells podman's containers from those of other programs in the store.
	Owner string `json:"owner"`
}

// Owner is the mark of podman's own containers.
const Owner = "podsuite-podman"

// Published are the ports by which the container is reached, its own or its
// pod's.
func (c *Config) Published() []network.PortMapping {
	if len(c.Network.Ports) == 0 {
		return c.PodPorts
	}
	return c.Network.Ports
}

// Depends lists the names or IDs of the containers that have to run for this
// one to run.
func (c *Config) Depends() []string {
	var all []string
	for _, mode := range []string{c.Network.Mode, c.PIDMode, c.IPCMode, c.UTSMode, c.CgroupNSMode, c.UserNS.Mode} {
		if other, ok := strings.CutPrefix(mode, "container:"); ok && !slices.Contains(all, other) {
			all = append(all, other)
		}
	}
	for _, other := range c.Requires {
		if !slices.Contains(all, other) {
			all = append(all, other)
		}
	}
	return all
}

// Summary makes the summary of the configuration.
func (c *Config) Summary() Summary {
	s := Summary{Owner: Owner, Image: c.Image, Command: c.Args(), Created: c.Created.UnixNano(), Labels: c.Labels,
		Ports: c.Published(), Exposed: c.ExposedPorts, AutoRemove: c.AutoRemove, CIDFile: c.CIDFile, Depends: c.Depends(),
		Pod: c.Pod, PodName: c.PodName, Infra: c.Infra, InitCtr: c.InitCtr, Checked: c.Health.Checked()}
	if c.Infra && c.ImageID == "" {
		s.Command = nil // a program of ours, of which nobody need know
	}
	for name := range c.Network.Networks {
		s.Networks = append(s.Networks, name)
	}
	for _, m := range c.Mounts {
		s.Mounts = append(s.Mounts, m.Destination)
	}
	return s
}
