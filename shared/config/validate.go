package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// validate checks what a value's type doesn't tell. A mistake is found when
// the file is read, not by the first container that it concerns.
func (f *containersFile) validate(l *layers) error {
	for _, check := range []func(*layers) error{f.checkChoices, f.checkPaths, f.checkPairs, f.checkContainers} {
		if err := check(l); err != nil {
			return err
		}
	}
	return nil
}

func (f *containersFile) checkChoices(l *layers) error {
	for _, c := range []struct{ key, value, choices string }{
		{"containers.cgroups", f.Containers.Cgroups, "enabled no-conmon disabled split"},
		{"containers.log_driver", f.Containers.LogDriver, "k8s-file json-file journald passthrough passthrough-tty none"},
		{"network.network_backend", f.Network.NetworkBackend, "netavark"},
		{"network.firewall_driver", f.Network.FirewallDriver, "nftables iptables firewalld none"},
		{"network.default_rootless_network_cmd", f.Network.DefaultRootlessNetworkCmd, "pasta slirp4netns"},
		{"engine.cgroup_manager", f.Engine.CgroupManager, "cgroupfs systemd"},
		{"engine.compression_format", f.Engine.CompressionFormat, "gzip zstd zstd:chunked"},
		{"engine.events_logger", f.Engine.EventsLogger, "file journald none"},
		{"engine.image_default_format", f.Engine.ImageDefaultFormat, "oci docker v2s2 v2s1 v1"},
		{"engine.image_volume_mode", f.Engine.ImageVolumeMode, "anonymous bind tmpfs ignore"},
		{"engine.kube_generate_type", f.Engine.KubeGenerateType, "pod deployment"},
		{"engine.pod_exit_policy", f.Engine.PodExitPolicy, "continue stop"},
		{"engine.pull_policy", f.Engine.PullPolicy, "always missing ifnotpresent newer ifnewer never"},
		{"secrets.driver", f.Secrets.Driver, "file pass shell"},
	} {
		choices := strings.Fields(c.choices)
		if c.value != "" && !slices.Contains(choices, strings.ToLower(c.value)) {
			return l.invalid(c.key, "%q is not one of %s", c.value, strings.Join(choices, ", "))
		}
	}
	return nil
}

func (f *containersFile) checkPaths(l *layers) error {
	for _, p := range []struct{ key, path string }{
		{"engine.image_copy_tmp_dir", f.Engine.ImageCopyTmpDir},
		{"engine.static_dir", f.Engine.StaticDir},
		{"engine.tmp_dir", f.Engine.TmpDir},
		{"engine.volume_path", f.Engine.VolumePath},
		{"network.network_config_dir", f.Network.NetworkConfigDir},
	} {
		if p.path != "" && !filepath.IsAbs(p.path) && p.key+p.path != "engine.image_copy_tmp_dirstorage" {
			return l.invalid(p.key, "%q is not an absolute path", p.path)
		}
	}
	return nil
}

// checkPairs checks the lists whose items are NAME=VALUE.
func (f *containersFile) checkPairs(l *layers) error {
	for _, p := range []struct {
		key   string
		items []string
		bare  bool // NAME alone means something
	}{
		{"containers.annotations", f.Containers.Annotations, false},
		{"containers.default_sysctls", f.Containers.DefaultSysctls, false},
		{"containers.default_ulimits", f.Containers.DefaultUlimits, false},
		{"containers.env", f.Containers.Env, true},
		{"engine.env", f.Engine.Env, false},
	} {
		for _, item := range p.items {
			if name, _, ok := strings.Cut(item, "="); name == "" || !ok && !p.bare {
				return l.invalid(p.key, "%q is not NAME=VALUE", item)
			}
		}
	}
	return nil
}

func (f *containersFile) checkContainers(l *layers) error {
	c := &f.Containers
	if n, err := strconv.ParseUint(c.Umask, 8, 32); c.Umask != "" && (err != nil || n > 0o7777) {
		return l.invalid("containers.umask", "%q is not an octal number", c.Umask)
	}
	if c.TZ != "" && c.TZ != "local" && !zoneExists(c.TZ) {
		return l.invalid("containers.tz", "there is no time zone %q", c.TZ)
	}
	if c.OOMScoreAdj < -1000 || c.OOMScoreAdj > 1000 {
		return l.invalid("containers.oom_score_adj", "%d is not between -1000 and 1000", c.OOMScoreAdj)
	}
	if _, err := parseDelay(f.Engine.RetryDelay); err != nil {
		return l.invalid("engine.retry_delay", "%q is not a duration such as 10s", f.Engine.RetryDelay)
	}
	return nil
}

// zoneExists tells whether the host's zone files have the zone.
func zoneExists(name string) bool {
	if !filepath.IsLocal(name) {
		return false
	}
	for _, dir := range []string{os.Getenv("TZDIR"), "/usr/share/zoneinfo", "/etc/zoneinfo"} {
		if dir != "" && exists(filepath.Join(dir, name)) {
			return true
		}
	}
	return false
}

// RetryPause is the pause between attempts to reach a registry, 0 the
// default one that grows.
func (e *Engine) RetryPause() time.Duration {
	d, _ := parseDelay(e.RetryDelay)
	return d
}

func parseDelay(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = fmt.Errorf("%s is negative", s)
	}
	return d, err
}
