package engine

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/config"
	oci "github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/userns"
	"golang.org/x/sys/unix"
)

// Info tells of the host, the store and the settings.
func (e *Engine) Info() (*Info, error) {
	host, err := e.hostFacts()
	if err != nil {
		return nil, err
	}
	info := &Info{Host: host, Plugins: InfoPlugins{Volume: []string{"local"}, Network: []string{"bridge", "macvlan", "ipvlan"},
		Log: []string{k8sFile, "none", passthrough, journald}}}
	if info.Store, err = e.storeFacts(); err != nil {
		return nil, err
	}
	info.Registries, err = e.registryFacts()
	return info, err
}

func (e *Engine) hostFacts() (*InfoHost, error) {
	c := e.Config
	h := &InfoHost{Arch: runtime.GOARCH, OS: runtime.GOOS, CPUs: runtime.NumCPU(), CgroupManager: e.cgroupManager(),
		CgroupsVersion: oci.CgroupsVersion(), CgroupControllers: oci.CgroupControllers(e.systemdCgroups()), DatabaseBackend: "none", EventLogger: "file",
		LogDriver: e.LogDriver(), NetworkBackend: "builtin", Linkmode: "static", RootlessNetworkCmd: "pasta",
		NetworkBackendInfo: InfoBackend{Backend: "builtin", DefaultNetwork: first(c.Network.DefaultNetwork, "podman")},
		OCIRuntime:         InfoRuntime{Name: first(c.Engine.Runtime, "builtin")}}
	if c.Engine.EventsLogger == "none" {
		h.EventLogger = "none"
	}
	if h.OCIRuntime.Name == "builtin" {
		h.OCIRuntime.Path, h.OCIRuntime.Version = e.Self[0], "built in"
	} else {
		h.OCIRuntime.Path = h.OCIRuntime.Name
	}
	h.Conmon = InfoProgram{Path: e.Self[0], Version: "built in"}
	h.Hostname, _ = os.Hostname()
	h.Distribution = distribution()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, fmt.Errorf("read the kernel's version: %w", err)
	}
	h.Kernel = unix.ByteSliceToString(name.Release[:])
	h.memory()
	h.CPUUtilization = cpuUse()
	if userns.Rootless() {
		uids, gids, err := userns.Mappings()
		if err != nil {
			return nil, err
		}
		for _, m := range uids {
			h.IDMappings.UIDMap = append(h.IDMappings.UIDMap, InfoIDMap{m.ContainerID, m.HostID, m.Size})
		}
		for _, m := range gids {
			h.IDMappings.GIDMap = append(h.IDMappings.GIDMap, InfoIDMap{m.ContainerID, m.HostID, m.Size})
		}
	}
	caps := c.Containers.DefaultCapabilities
	if len(caps) == 0 {
		caps = oci.DefaultCapabilities()
	}
	_, selinux := os.Stat("/sys/fs/selinux/enforce")
	_, apparmor := os.Stat("/sys/kernel/security/apparmor")
	h.Security = InfoSecurity{AppArmorEnabled: apparmor == nil, DefaultCapabilities: strings.Join(caps, ","), Rootless: userns.Rootless(),
		SECCOMPEnabled: true, SECCOMPProfilePath: c.Containers.SeccompProfile, SELinuxEnabled: selinux == nil}
	h.RemoteSocket.Path = e.socketPath()
	_, err := os.Stat(h.RemoteSocket.Path)
	h.RemoteSocket.Exists = err == nil
	return h, nil
}

// socketPath is where the service would listen.
func (e *Engine) socketPath() string {
	if !userns.Rootless() {
		return "/run/podman/podman.sock"
	}
	dir, err := userns.RuntimeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "podman", "podman.sock")
}

func (h *InfoHost) memory() {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return
	}
	unit := int64(info.Unit)
	h.MemTotal, h.MemFree = int64(info.Totalram)*unit, int64(info.Freeram)*unit
	h.SwapTotal, h.SwapFree = int64(info.Totalswap)*unit, int64(info.Freeswap)*unit
	up := time.Duration(info.Uptime) * time.Second
	h.Uptime = fmt.Sprintf("%dh %dm %.2fs", int(up.Hours()), int(up.Minutes())%60, math.Mod(up.Seconds(), 60))
	const day = 24
	if hours := int(up.Hours()); hours >= day {
		h.Uptime += fmt.Sprintf(" (Approximately %.2f days)", up.Hours()/day)
	}
}

// cpuUse is how the processors' time since the boot was spent.
func cpuUse() InfoCPU {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return InfoCPU{}
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	if !s.Scan() {
		return InfoCPU{}
	}
	var times []float64
	total := 0.0
	for _, text := range strings.Fields(s.Text())[1:] {
		n, _ := strconv.ParseFloat(text, 64)
		times = append(times, n)
		total += n
	}
	if len(times) < 4 || total == 0 {
		return InfoCPU{}
	}
	part := func(n float64) float64 { return math.Round(n/total*10000) / 100 }
	return InfoCPU{UserPercent: part(times[0]), SystemPercent: part(times[2]), IdlePercent: part(times[3])}
}

func distribution() InfoDistribution {
	d := InfoDistribution{Distribution: "unknown", Version: "unknown"}
	const limit = 64 << 10
	data, err := os.ReadFile("/etc/os-release")
	if err != nil || len(data) > limit {
		return d
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		key, value, _ := strings.Cut(line, "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			d.Distribution = value
		case "VERSION_ID":
			d.Version = value
		case "VARIANT_ID":
			d.Variant = value
		case "VERSION_CODENAME":
			d.Codename = value
		}
	}
	return d
}

func (e *Engine) storeFacts() (*InfoStore, error) {
	s := &InfoStore{GraphDriverName: e.Store.Driver(), GraphOptions: map[string]string{}, GraphRoot: e.Store.GraphRoot(),
		RunRoot: e.Store.RunRoot(), VolumePath: e.Volumes().Path(), ImageCopyTmpDir: e.Config.Engine.ImageCopyTmpDir, TransientStore: e.Config.Storage.TransientStore}
	for _, o := range e.Store.DriverOptions() {
		key, value, _ := strings.Cut(o, "=")
		s.GraphOptions[key] = value
	}
	var err error
	if s.GraphStatus, err = e.Store.DriverStatus(); err != nil {
		return nil, err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(s.GraphRoot, &fs); err == nil {
		s.GraphRootAllocated = fs.Blocks * uint64(fs.Bsize)
		s.GraphRootUsed = (fs.Blocks - fs.Bfree) * uint64(fs.Bsize)
	}
	images, err := e.Store.Images()
	if err != nil {
		return nil, err
	}
	s.ImageStore.Number = len(images)
	list, err := e.List(nil)
	if err != nil {
		return nil, err
	}
	s.ContainerStore.Number = len(list)
	for i := range list {
		switch list[i].State {
		case Running:
			s.ContainerStore.Running++
		case Paused:
			s.ContainerStore.Paused++
		default:
			s.ContainerStore.Stopped++
		}
	}
	return s, nil
}

func (e *Engine) registryFacts() (map[string]any, error) {
	all := map[string]any{}
	r, err := e.Config.Registries()
	if err != nil {
		return nil, err
	}
	for _, one := range r.Registries {
		all[one.Prefix] = InfoRegistry{Prefix: one.Prefix, Location: one.Location, Insecure: one.Insecure, Blocked: one.Blocked,
			MirrorByDigestOnly: one.MirrorByDigestOnly, Mirrors: one.Mirrors}
	}
	if len(r.UnqualifiedSearch) > 0 {
		all["search"] = r.UnqualifiedSearch
	}
	return all, nil
}

// InfoRegistry is what registries.conf says of one registry.
type InfoRegistry struct {
	Prefix             string
	Location           string
	Insecure           bool
	PullFromMirror     string
	Mirrors            []config.Mirror
	Blocked            bool
	MirrorByDigestOnly bool
}
