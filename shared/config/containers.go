package config

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
	LabelUsers               bool     `toml:"label_users"`
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
	PrepareVolumeOnCreate    bool     `toml:"prepare_volume_on_create"`
	Privileged               bool     `toml:"privileged"`
	ReadOnly                 bool     `toml:"read_only"`
	SeccompProfile           string   `toml:"seccomp_profile"` // "": the built-in one
	ShmSize                  Size     `toml:"shm_size"`
	TZ                       string   `toml:"tz"`
	Umask                    string   `toml:"umask"`
	UserNS                   string   `toml:"userns"`
	UserNSSize               int      `toml:"userns_size"`
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
	NetworkBackend            string       `toml:"network_backend"` // "" or netavark
	NetavarkPluginDirs        []string     `toml:"netavark_plugin_dirs"`
	CNIPluginDirs             []string     `toml:"cni_plugin_dirs"`
	DNSBindPort               uint16       `toml:"dns_bind_port"`
	PastaOptions              []string     `toml:"pasta_options"`
}

// Engine is the [engine] table.
type Engine struct {
	ActiveService             string                 `toml:"active_service"`
	AddCompression            []string               `toml:"add_compression"`
	CDISpecDirs               []string               `toml:"cdi_spec_dirs"`
	CgroupManager             string                 `toml:"cgroup_manager"` // "": chosen by the host
	ChownCopiedFiles          bool                   `toml:"chown_copied_files"`
	CompatAPIEnforceDockerHub bool                   `toml:"compat_api_enforce_docker_hub"`
	ComposeProviders          []string               `toml:"compose_providers"`
	ComposeWarningLogs        bool                   `toml:"compose_warning_logs"`
	CompressionFormat         string                 `toml:"compression_format"`
	CompressionLevel          int                    `toml:"compression_level"` // 0: the compressor's default
	ConmonEnvVars             []string               `toml:"conmon_env_vars"`
	ConmonPath                []string               `toml:"conmon_path"`
	DatabaseBackend           string                 `toml:"database_backend"`
	DetachKeys                string                 `toml:"detach_keys"`
	EnablePortReservation     bool                   `toml:"enable_port_reservation"`
	Env                       []string               `toml:"env"`
	EventsCreateInspectData   bool                   `toml:"events_container_create_inspect_data"`
	EventsLogger              string                 `toml:"events_logger"`
	EventsLogfilePath         string                 `toml:"events_logfile_path"`
	EventsLogfileMaxSize      Size                   `toml:"events_logfile_max_size"`
	ExitCommandDelay          uint                   `toml:"exit_command_delay"` // seconds
	HealthcheckEvents         bool                   `toml:"healthcheck_events"`
	HelperBinariesDir         []string               `toml:"helper_binaries_dir"`
	HooksDir                  []string               `toml:"hooks_dir"`
	ImageCopyTmpDir           string                 `toml:"image_copy_tmp_dir"` // "storage" or an absolute path
	ImageDefaultFormat        string                 `toml:"image_default_format"`
	ImageDefaultTransport     string                 `toml:"image_default_transport"`
	ImageParallelCopies       uint16                 `toml:"image_parallel_copies"` // 0: the copier's default
	ImageVolumeMode           string                 `toml:"image_volume_mode"`
	InfraCommand              string                 `toml:"infra_command"`
	InfraImage                string                 `toml:"infra_image"`
	InitPath                  string                 `toml:"init_path"`
	KubeGenerateType          string                 `toml:"kube_generate_type"`
	LockType                  string                 `toml:"lock_type"`
	MultiImageArchive         bool                   `toml:"multi_image_archive"`
	Namespace                 string                 `toml:"namespace"`
	NetworkCmdPath            string                 `toml:"network_cmd_path"`
	NetworkCmdOptions         []string               `toml:"network_cmd_options"`
	NoPivotRoot               bool                   `toml:"no_pivot_root"`
	NumLocks                  uint32                 `toml:"num_locks"`
	PlatformToOCIRuntime      map[string]string      `toml:"platform_to_oci_runtime"`
	PodExitPolicy             string                 `toml:"pod_exit_policy"`
	PullPolicy                string                 `toml:"pull_policy"`
	Remote                    bool                   `toml:"remote"`
	RemoteURI                 string                 `toml:"remote_uri"`
	RemoteIdentity            string                 `toml:"remote_identity"`
	Retry                     uint                   `toml:"retry"`
	RetryDelay                string                 `toml:"retry_delay"` // a duration, or a number of seconds
	Runtime                   string                 `toml:"runtime"`     // "": the built-in one
	Runtimes                  map[string][]string    `toml:"runtimes"`
	RuntimesFlags             map[string][]string    `toml:"runtimes_flags"`
	RuntimeSupportsJSON       []string               `toml:"runtime_supports_json"`
	RuntimeSupportsKVM        []string               `toml:"runtime_supports_kvm"`
	RuntimeSupportsNoCgroups  []string               `toml:"runtime_supports_nocgroups"`
	ServiceDestinations       map[string]Destination `toml:"service_destinations"`
	ServiceTimeout            uint                   `toml:"service_timeout"` // seconds
	SSHConfig                 string                 `toml:"ssh_config"`
	StaticDir                 string                 `toml:"static_dir"`
	StopTimeout               uint                   `toml:"stop_timeout"` // seconds
	TmpDir                    string                 `toml:"tmp_dir"`
	VolumePath                string                 `toml:"volume_path"`
	VolumePlugins             map[string]string      `toml:"volume_plugins"`
	VolumePluginTimeout       uint                   `toml:"volume_plugin_timeout"` // seconds
}

// Destination is a service that a client can talk to.
type Destination struct {
	URI       string `toml:"uri"`
	Identity  string `toml:"identity"`
	IsMachine bool   `toml:"is_machine"`
	TLSCert   string `toml:"tls_cert"`
	TLSKey    string `toml:"tls_key"`
	TLSCA     string `toml:"tls_ca"`
}

// Farms is the [farms] table.
type Farms struct {
	Default string              `toml:"default"`
	List    map[string][]string `toml:"list"`
}

// PodmanSh is the [podmansh] table.
type PodmanSh struct {
	Shell     string `toml:"shell"`
	Container string `toml:"container"`
	Timeout   uint   `toml:"timeout"` // seconds
}

// machine is the [machine] table. Nothing here makes virtual machines; its
// keys are known so that a mistake in them is told from an unknown key.
type machine struct {
	CPUs     uint64   `toml:"cpus"`
	DiskSize uint64   `toml:"disk_size"`
	Image    string   `toml:"image"`
	Memory   uint64   `toml:"memory"`
	User     string   `toml:"user"`
	Volumes  []string `toml:"volumes"`
	Provider string   `toml:"provider"`
	Rosetta  bool     `toml:"rosetta"`
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
	Farms      Farms      `toml:"farms"`
	PodmanSh   PodmanSh   `toml:"podmansh"`
	ConfigMaps Secrets    `toml:"configmaps"`
	Machine    machine    `toml:"machine"`
}
