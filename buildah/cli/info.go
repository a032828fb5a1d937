package cli

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/userns"
)

func newInfo(a *app) *cobra.Command {
	debug, format := false, ""
	cmd := &cobra.Command{
		Use:     "info",
		Short:   "Display Buildah system information",
		Long:    "Display information about the host and current storage statistics which are useful when reporting issues.",
		Example: "buildah info",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := systemInfo(a, debug)
			if err != nil {
				return err
			}
			if format != "" {
				return cliout.Template(cmd.OutOrStdout(), "info", format, info)
			}
			return cliout.JSON(cmd.OutOrStdout(), info)
		},
	}
	cmd.Flags().BoolVarP(&debug, "debug", "d", false, "display additional debug information")
	cmd.Flags().StringVar(&format, "format", "", "use `format` as a Go template to format the output")
	return cmd
}

func systemInfo(a *app, debug bool) (map[string]any, error) {
	st, cfg, err := a.open()
	if err != nil {
		return nil, err
	}
	defer st.Close()
	containers, err := st.Containers()
	if err != nil {
		return nil, err
	}
	images, err := st.Images()
	if err != nil {
		return nil, err
	}
	engine := cfg.Engine.Runtime
	if engine == "" {
		engine = "builtin"
	}
	host, err := hostInfo(engine)
	if err != nil {
		return nil, err
	}
	options := cfg.Storage.DriverOptions
	if options == nil {
		options = []string{}
	}
	info := map[string]any{
		"host": host,
		"store": map[string]any{
			"ContainerStore":  map[string]any{"number": len(containers)},
			"ImageStore":      map[string]any{"number": len(images)},
			"GraphDriverName": st.Driver(), "GraphOptions": options, "GraphImageStore": cfg.Storage.ImageStore,
			"GraphRoot": st.GraphRoot(), "RunRoot": st.RunRoot(), "GraphTransientStore": false,
		},
	}
	if debug {
		info["debug"] = map[string]any{"buildah version": version, "compiler": runtime.Compiler, "git commit": "", "go version": runtime.Version()}
	}
	return info, nil
}

func hostInfo(engine string) (map[string]any, error) {
	var system unix.Sysinfo_t
	var name unix.Utsname
	if err := unix.Sysinfo(&system); err != nil {
		return nil, fmt.Errorf("read system information: %w", err)
	}
	if err := unix.Uname(&name); err != nil {
		return nil, fmt.Errorf("read system information: %w", err)
	}
	hostname, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	cgroups := "v1"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		cgroups = "v2"
	}
	distribution, release := osRelease()
	unit := int64(system.Unit)
	return map[string]any{
		"CgroupVersion": cgroups, "OCIRuntime": engine,
		"Distribution": map[string]string{"distribution": distribution, "version": release},
		"MemFree":      int64(system.Freeram) * unit, "MemTotal": int64(system.Totalram) * unit,
		"SwapFree": int64(system.Freeswap) * unit, "SwapTotal": int64(system.Totalswap) * unit,
		"arch": runtime.GOARCH, "os": runtime.GOOS, "variant": "", "cpus": runtime.NumCPU(), "hostname": hostname,
		"kernel": unix.ByteSliceToString(name.Release[:]), "rootless": userns.Rootless(),
		"uptime": (time.Duration(system.Uptime) * time.Second).String(),
	}, nil
}

// osRelease is the host's distribution and its version.
func osRelease() (id, version string) {
	id, version = "unknown", "unknown"
	f, err := os.Open("/etc/os-release")
	if err != nil {
		return id, version
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), "=")
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		switch key {
		case "ID":
			id = value
		case "VERSION_ID":
			version = value
		}
	}
	return id, version
}
