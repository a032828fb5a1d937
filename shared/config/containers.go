package config

import (
	"path/filepath"
	"strconv"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Containers is the [containers] table: defaults for new containers.
type Containers struct {
	Annotations              []string `toml:"annotations"`
	ApparmorProfile          string   `toml:"apparmor_profile"`
	BaseHostsFile            string   `toml:"base_hosts_file"`
	CgroupConf               []string `toml:"cgroup_conf"`
	Cgroups                  string   `toml:"cgroups"`
	CgroupNS                 string   `toml:"cgroupns"`
	ContainerNameAsHostname  bool     `toml:"container_name_as_hostname"`
	DefaultCapabilities      []string `toml:"default_capabilities"`
	DefaultSysctls           []string `toml:"default_sysctls"`
	DefaultUlimits           []string `toml:"default_ulimits"`
	Devices                  []string `toml:"devices"`
	DNSOptions               []string `toml:"dns_options"`
	DNSSearches              []string `toml:"dns_searches"`
	DNSServers               []string `toml:"dns_servers"`
	Env                      []string `toml:"env"`
	EnvHost                  bool     `toml:"env_host"`
	HostContainersInternalIP string   `toml:"host_containers_internal_ip"`
	HTTPProxy                bool     `toml:"http_proxy"`
	Init                     bool     `toml:"init"`
	InitPath                 string   `toml:"init_path"`
	InterfaceName            string   `toml:"interface_name"`
	IPCNS                    string   `toml:"ipcns"`
	Keyring                  bool     `toml:"keyring"`
	Label                    bool     `toml:"label"`
	LogDriver                string   `toml:"log_driver"`
	LogPath                  string   `toml:"log_path"`
	LogSizeMax               Size     `toml:"log_size_max"` // -1: no limit
	LogTag                   string   `toml:"log_tag"`
	Mounts                   []string `toml:"mounts"`
	NetNS                    string   `toml:"netns"`
	NoHosts                  bool     `toml:"no_hosts"`
	OOMScoreAdj              int      `toml:"oom_score_adj"`
	PidNS                    string   `toml:"pidns"`
	PidsLimit                int64    `toml:"pids_limit"` // 0 or less: no limit
	Privileged               bool     `toml:"privileged"`
	ReadOnly                 bool     `toml:"read_only"`
	SeccompProfile           string   `toml:"seccomp_profile"` // "": the built-in one
	ShmSize                  Size     `toml:"shm_size"`
	TZ                       string   `toml:"tz"`
	Umask                    string   `toml:"umask"`
	UserNS                   string   `toml:"userns"`
	UTSNS                    string   `toml:"utsns"`
	Volumes                  []string `toml:"volumes"`
}

// SubnetPool is a range that new networks take their subnets from.
type SubnetPool struct {
	Base string `toml:"base"`
	Size int    `toml:"size"` // prefix length of each subnet
}

// Network is the [network] table.
type Network struct {
	DefaultNetwork            string       `toml:"default_network"`
	DefaultSubnet             string       `toml:"default_subnet"`
	DefaultSubnetPools        []SubnetPool `toml:"default_subnet_pools"`
	DefaultRootlessNetworkCmd string       `toml:"default_rootless_network_cmd"`
	NetworkConfigDir          string       `toml:"network_config_dir"`
	FirewallDriver            string       `toml:"firewall_driver"`
	DNSBindPort               int          `toml:"dns_bind_port"`
	PastaOptions              []string     `toml:"pasta_options"`
}

// Engine is the [engine] table.
type Engine struct {
	CgroupManager         string              `toml:"cgroup_manager"` // "": chosen by the host
	CompressionFormat     string              `toml:"compression_format"`
	CompressionLevel      int                 `toml:"compression_level"` // 0: the compressor's default
	DetachKeys            string              `toml:"detach_keys"`
	Env                   []string            `toml:"env"`
	EventsLogger          string              `toml:"events_logger"`
	EventsLogfilePath     string              `toml:"events_logfile_path"`
	EventsLogfileMaxSize  Size                `toml:"events_logfile_max_size"`
	HealthcheckEvents     bool                `toml:"healthcheck_events"`
	HelperBinariesDir     []string            `toml:"helper_binaries_dir"`
	HooksDir              []string            `toml:"hooks_dir"`
	CDISpecDirs           []string            `toml:"cdi_spec_dirs"`
	ImageDefaultFormat    string              `toml:"image_default_format"`
	ImageDefaultTransport string              `toml:"image_default_transport"`
	ImageParallelCopies   int                 `toml:"image_parallel_copies"` // 0: the copier's default
	ImageVolumeMode       string              `toml:"image_volume_mode"`
	ImageCopyTmpDir       string              `toml:"image_copy_tmp_dir"`
	InfraCommand          string              `toml:"infra_command"`
	InfraImage            string              `toml:"infra_image"`
	InitPath              string              `toml:"init_path"`
	KubeGenerateType      string              `toml:"kube_generate_type"`
	MultiImageArchive     bool                `toml:"multi_image_archive"`
	NetworkCmdPath        string              `toml:"network_cmd_path"`
	NetworkCmdOptions     []string            `toml:"network_cmd_options"`
	NoPivotRoot           bool                `toml:"no_pivot_root"`
	PodExitPolicy         string              `toml:"pod_exit_policy"`
	PullPolicy            string              `toml:"pull_policy"`
	Retry                 int                 `toml:"retry"`
	RetryDelay            string              `toml:"retry_delay"`
	Runtime               string              `toml:"runtime"` // "": the built-in one
	Runtimes              map[string][]string `toml:"runtimes"`
	ServiceTimeout        int                 `toml:"service_timeout"` // seconds
	StopTimeout           int                 `toml:"stop_timeout"`    // seconds
	ExitCommandDelay      int                 `toml:"exit_command_delay"`
	StaticDir             string              `toml:"static_dir"`
	TmpDir                string              `toml:"tmp_dir"`
	VolumePath            string              `toml:"volume_path"`
	VolumePlugins         map[string]string   `toml:"volume_plugins"`
}

// Secrets is the [secrets] table.
type Secrets struct {
	Driver string            `toml:"driver"`
	Opts   map[string]string `toml:"opts"`
}

// containersFile is the shape of containers.conf.
type containersFile struct {
	Containers Containers `toml:"containers"`
	Network    Network    `toml:"network"`
	Engine     Engine     `toml:"engine"`
	Secrets    Secrets    `toml:"secrets"`
}

func containersDefaults() containersFile {
	return containersFile{
		Containers: Containers{
			ApparmorProfile: "container-default",
			Cgroups:         "enabled",
			CgroupNS:        "private",
			DefaultCapabilities: []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL",
				"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"},
			Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			HTTPProxy:  true,
			IPCNS:      "shareable",
			Keyring:    true,
			Label:      true,
			LogSizeMax: -1,
			PidNS:      "private",
			PidsLimit:  2048,
			ShmSize:    64 << 20,
			Umask:      "0022",
			UserNS:     "host",
			UTSNS:      "private",
		},
		Network: Network{
			DefaultNetwork: "podman",
			DefaultSubnet:  "10.88.0.0/16",
			DefaultSubnetPools: []SubnetPool{{"10.89.0.0/16", 24}, {"10.90.0.0/15", 24},
				{"10.92.0.0/14", 24}, {"10.96.0.0/11", 24}, {"10.128.0.0/9", 24}},
			DefaultRootlessNetworkCmd: "pasta",
			DNSBindPort:               53,
		},
		Engine: Engine{
			CompressionFormat:    "gzip",
			DetachKeys:           "ctrl-p,ctrl-q",
			EventsLogfileMaxSize: 1 << 20,
			HealthcheckEvents:    true,
			HelperBinariesDir: []string{"/usr/local/libexec/podman", "/usr/local/lib/podman",
				"/usr/libexec/podman", "/usr/lib/podman"},
			HooksDir:              []string{"/etc/containers/oci/hooks.d", "/usr/share/containers/oci/hooks.d"},
			CDISpecDirs:           []string{"/etc/cdi", "/var/run/cdi"},
			ImageDefaultTransport: "docker://",
			ImageVolumeMode:       "anonymous",
			ImageCopyTmpDir:       "/var/tmp",
			InfraCommand:          "/pause",
			KubeGenerateType:      "pod",
			PodExitPolicy:         "continue",
			PullPolicy:            "missing",
			Retry:                 3,
			ServiceTimeout:        5,
			StopTimeout:           10,
			ExitCommandDelay:      300,
		},
		Secrets: Secrets{Driver: "file"},
	}
}

// loadContainers reads containers.conf and its drop-ins over the defaults.
func (c *Config) loadContainers(modules []string) error {
	files, err := c.containersFiles()
	if err != nil {
		return err
	}
	for _, m := range modules {
		path, err := c.modulePath(m)
		if err != nil {
			return err
		}
		files = append(files, path)
	}
	if f := c.env("CONTAINERS_CONF_OVERRIDE"); f != "" {
		files = append(files, f)
	}
	all := containersDefaults()
	l := &layers{appending: map[string]bool{}}
	for _, f := range files {
		raw, err := readTOML(f)
		if err != nil {
			return err
		}
		if err := l.apply(f, raw, &all); err != nil {
			return err
		}
	}
	c.Containers, c.Network, c.Engine, c.Secrets = all.Containers, all.Network, all.Engine, all.Secrets
	return nil
}

// containersFiles lists the files in the order they are read, later ones
// overriding.
func (c *Config) containersFiles() ([]string, error) {
	if f := c.env("CONTAINERS_CONF"); f != "" {
		if !exists(f) {
			return nil, errdef.Newf(errdef.ErrNotFound, "read the file of CONTAINERS_CONF: open %s: no such file or directory", f)
		}
		return []string{f}, nil
	}
	etc := c.system("/etc/containers")
	files := []string{c.system("/usr/share/containers/containers.conf"), filepath.Join(etc, "containers.conf")}
	dirs := []string{filepath.Join(etc, "containers.conf.d")}
	if c.Rootless {
		dirs = append(dirs, filepath.Join(etc, "containers.rootless.d"),
			filepath.Join(etc, "containers.rootless.d", strconv.Itoa(c.UID)))
	}
	files, err := withDropIns(files, dirs[:1])
	if err != nil {
		return nil, err
	}
	if c.Rootless {
		if files, err = withDropIns(append(files, filepath.Join(etc, "containers.rootless.conf")), dirs[1:]); err != nil {
			return nil, err
		}
	}
	own := filepath.Join(c.ConfigHome, "containers")
	return withDropIns(append(files, filepath.Join(own, "containers.conf")), []string{filepath.Join(own, "containers.conf.d")})
}

func withDropIns(files, dirs []string) ([]string, error) {
	for _, d := range dirs {
		more, err := dropIns(d)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, nil
}

func (c *Config) modulePath(name string) (string, error) {
	if filepath.IsAbs(name) {
		if exists(name) {
			return name, nil
		}
	} else {
		for _, dir := range []string{filepath.Join(c.ConfigHome, "containers"), c.system("/etc/containers"), c.system("/usr/share/containers")} {
			if p := filepath.Join(dir, "containers.conf.modules", name); exists(p) {
				return p, nil
			}
		}
	}
	return "", errdef.Newf(errdef.ErrNotFound, "find containers.conf module %q: no such file", name)
}

// setStorageDependentDefaults fills the paths whose default lies in the store.
func (c *Config) setStorageDependentDefaults() {
	if c.Engine.VolumePath == "" {
		c.Engine.VolumePath = filepath.Join(c.Storage.GraphRoot, "volumes")
	}
	if c.Engine.StaticDir == "" {
		c.Engine.StaticDir = filepath.Join(c.Storage.GraphRoot, "libpod")
	}
	if c.Engine.TmpDir == "" {
		c.Engine.TmpDir = filepath.Join(c.RuntimeDir, "libpod")
		if c.Rootless {
			c.Engine.TmpDir = filepath.Join(c.RuntimeDir, "libpod/tmp")
		}
	}
	if c.Network.NetworkConfigDir == "" {
		c.Network.NetworkConfigDir = c.system("/etc/containers/networks")
		if c.Rootless {
			c.Network.NetworkConfigDir = filepath.Join(c.Storage.GraphRoot, "networks")
		}
	}
}
