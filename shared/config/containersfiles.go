package config

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

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
			ShmSize:    65536 * 1000,
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
			EventsLogfileMaxSize: 1000 * 1000,
			HealthcheckEvents:    true,
			HelperBinariesDir: []string{"/usr/local/libexec/podman", "/usr/local/lib/podman",
				"/usr/libexec/podman", "/usr/lib/podman"},
			HooksDir:              []string{"/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d"}, // the later wins
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
			NumLocks:              2048,
			VolumePluginTimeout:   5,

			ChownCopiedFiles:          true,
			CompatAPIEnforceDockerHub: true,
			ComposeWarningLogs:        true,
			EnablePortReservation:     true,
		},
		Secrets:  Secrets{Driver: "file"},
		PodmanSh: PodmanSh{Shell: "/bin/sh", Container: "podmansh", Timeout: 30},
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
	l := newLayers()
	for _, f := range files {
		raw, err := readTOML(f)
		if err != nil {
			return err
		}
		if raw != nil {
			c.Files = append(c.Files, f)
		}
		if err := l.apply(f, raw, &all); err != nil {
			return err
		}
	}
	c.Containers, c.Network, c.Engine, c.Secrets = all.Containers, all.Network, all.Engine, all.Secrets
	c.Farms, c.PodmanSh, c.UnknownKeys = all.Farms, all.PodmanSh, l.unknown
	c.setIn = l.from
	return all.validate(l)
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

// ModuleDirs are the directories in which modules are looked for by name, in
// the order of their precedence.
func (c *Config) ModuleDirs() []string {
	dirs := []string{c.system("/etc/containers/containers.conf.modules"), c.system("/usr/share/containers/containers.conf.modules")}
	if c.Rootless {
		dirs = append([]string{filepath.Join(c.ConfigHome, "containers/containers.conf.modules")}, dirs...)
	}
	return dirs
}

func (c *Config) modulePath(name string) (string, error) {
	if filepath.IsAbs(name) {
		if exists(name) {
			return name, nil
		}
		return "", errdef.Newf(errdef.ErrNotFound, "find containers.conf module %q: no such file", name)
	}
	for _, dir := range c.ModuleDirs() {
		if p := filepath.Join(dir, name); exists(p) {
			return p, nil
		}
	}
	return "", errdef.Newf(errdef.ErrNotFound, "find containers.conf module %q: no such file in %s", name, strings.Join(c.ModuleDirs(), ", "))
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
