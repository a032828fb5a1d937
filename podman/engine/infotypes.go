package engine

// Info is what `podman info` prints, with the reference's keys.
type Info struct {
	Host       *InfoHost      `json:"host"`
	Store      *InfoStore     `json:"store"`
	Registries map[string]any `json:"registries"`
	Plugins    InfoPlugins    `json:"plugins"`
	Version    any            `json:"version"`
}

// InfoHost tells of the host.
type InfoHost struct {
	Arch               string           `json:"arch"`
	BuildahVersion     string           `json:"buildahVersion"`
	CgroupManager      string           `json:"cgroupManager"`
	CgroupsVersion     string           `json:"cgroupVersion"`
	CgroupControllers  []string         `json:"cgroupControllers"`
	Conmon             InfoProgram      `json:"conmon"`
	CPUs               int              `json:"cpus"`
	CPUUtilization     InfoCPU          `json:"cpuUtilization"`
	DatabaseBackend    string           `json:"databaseBackend"`
	Distribution       InfoDistribution `json:"distribution"`
	EventLogger        string           `json:"eventLogger"`
	FreeLocks          *int             `json:"freeLocks,omitempty"`
	Hostname           string           `json:"hostname"`
	IDMappings         InfoIDMaps       `json:"idMappings"`
	Kernel             string           `json:"kernel"`
	LogDriver          string           `json:"logDriver"`
	MemFree            int64            `json:"memFree"`
	MemTotal           int64            `json:"memTotal"`
	NetworkBackend     string           `json:"networkBackend"`
	NetworkBackendInfo InfoBackend      `json:"networkBackendInfo"`
	OCIRuntime         InfoRuntime      `json:"ociRuntime"`
	OS                 string           `json:"os"`
	RemoteSocket       InfoSocket       `json:"remoteSocket"`
	RootlessNetworkCmd string           `json:"rootlessNetworkCmd"`
	ServiceIsRemote    bool             `json:"serviceIsRemote"`
	Security           InfoSecurity     `json:"security"`
	Slirp4NetNS        InfoExecutable   `json:"slirp4netns"`
	Pasta              InfoExecutable   `json:"pasta"`
	SwapFree           int64            `json:"swapFree"`
	SwapTotal          int64            `json:"swapTotal"`
	Uptime             string           `json:"uptime"`
	Variant            string           `json:"variant"`
	Linkmode           string           `json:"linkmode"`
}

// The parts of InfoHost.
type (
	InfoProgram struct {
		Package string `json:"package"`
		Path    string `json:"path"`
		Version string `json:"version"`
	}
	InfoExecutable struct {
		Executable string `json:"executable"`
		Package    string `json:"package"`
		Version    string `json:"version"`
	}
	InfoCPU struct {
		UserPercent   float64 `json:"userPercent"`
		SystemPercent float64 `json:"systemPercent"`
		IdlePercent   float64 `json:"idlePercent"`
	}
	InfoDistribution struct {
		Distribution string `json:"distribution"`
		Variant      string `json:"variant,omitempty"`
		Version      string `json:"version"`
		Codename     string `json:"codename,omitempty"`
	}
	InfoIDMap struct {
		ContainerID int `json:"container_id"`
		HostID      int `json:"host_id"`
		Size        int `json:"size"`
	}
	InfoIDMaps struct {
		GIDMap []InfoIDMap `json:"gidmap"`
		UIDMap []InfoIDMap `json:"uidmap"`
	}
	InfoBackend struct {
		Backend        string      `json:"backend"`
		Version        string      `json:"version,omitempty"`
		Package        string      `json:"package,omitempty"`
		Path           string      `json:"path,omitempty"`
		DNS            InfoProgram `json:"dns"`
		DefaultNetwork string      `json:"defaultNetwork"`
	}
	InfoRuntime struct {
		Name    string `json:"name"`
		Package string `json:"package"`
		Path    string `json:"path"`
		Version string `json:"version"`
	}
	InfoSocket struct {
		Path   string `json:"path"`
		Exists bool   `json:"exists"`
	}
	InfoSecurity struct {
		AppArmorEnabled     bool   `json:"apparmorEnabled"`
		DefaultCapabilities string `json:"capabilities"`
		Rootless            bool   `json:"rootless"`
		SECCOMPEnabled      bool   `json:"seccompEnabled"`
		SECCOMPProfilePath  string `json:"seccompProfilePath"`
		SELinuxEnabled      bool   `json:"selinuxEnabled"`
	}
)

// InfoStore tells of the store.
type InfoStore struct {
	ContainerStore struct {
		Number  int `json:"number"`
		Paused  int `json:"paused"`
		Running int `json:"running"`
		Stopped int `json:"stopped"`
	} `json:"containerStore"`
	GraphDriverName    string            `json:"graphDriverName"`
	GraphOptions       map[string]string `json:"graphOptions"`
	GraphRoot          string            `json:"graphRoot"`
	GraphRootAllocated uint64            `json:"graphRootAllocated"`
	GraphRootUsed      uint64            `json:"graphRootUsed"`
	GraphStatus        map[string]string `json:"graphStatus"`
	ImageCopyTmpDir    string            `json:"imageCopyTmpDir"`
	ImageStore         struct {
		Number int `json:"number"`
	} `json:"imageStore"`
	RunRoot        string `json:"runRoot"`
	VolumePath     string `json:"volumePath"`
	TransientStore bool   `json:"transientStore"`
}

// InfoPlugins are the kinds of drivers that there are.
type InfoPlugins struct {
	Volume        []string `json:"volume"`
	Network       []string `json:"network"`
	Log           []string `json:"log"`
	Authorization []string `json:"authorization"`
}
