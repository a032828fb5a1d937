package system

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
)

// versionInfo is the program's version, with the reference's keys.
type versionInfo struct {
	APIVersion  string
	Version     string
	GoVersion   string
	GitCommit   string
	BuiltTime   string
	Built       int64
	BuildOrigin string `json:",omitempty"`
	OsArch      string
	Os          string
}

func thisVersion(version string) versionInfo {
	v := versionInfo{APIVersion: version, Version: version, GoVersion: runtime.Version(), OsArch: runtime.GOOS + "/" + runtime.GOARCH, Os: runtime.GOOS}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			v.GitCommit = s.Value
		case "vcs.time":
			if at, err := time.Parse(time.RFC3339, s.Value); err == nil {
				v.Built, v.BuiltTime = at.Unix(), at.Format(time.ANSIC)
			}
		}
	}
	return v
}

// versionReport is what templates of `podman version` see.
type versionReport struct {
	Client *versionInfo
	Server *versionInfo `json:",omitempty"`
}

// NewVersion is `podman version`.
func NewVersion(version string) func(*app.App) *cobra.Command {
	return func(*app.App) *cobra.Command {
		var format string
		cmd := &cobra.Command{
			Use:     "version [options]",
			Short:   "Display the Podman version information",
			Long:    "Shows the version of this program and what it was built with.",
			Args:    cobra.NoArgs,
			Example: "  podman version\n  podman version --format '{{.Client.Version}}'",
		}
		cmd.Flags().StringVarP(&format, "format", "f", "", "Change the output format to JSON or a Go template")
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			v := thisVersion(version)
			out := cmd.OutOrStdout()
			switch format {
			case "json":
				return cliout.JSON(out, versionReport{Client: &v}, 0)
			case "":
				return printVersion(cmd, &v)
			}
			// Without a service the program is its own server.
			return cliout.Template(out, "version", format, versionReport{&v, &v})
		}
		return cmd
	}
}

func printVersion(cmd *cobra.Command, v *versionInfo) error {
	for _, line := range []struct{ name, value string }{{"Client", "Podman Engine"}, {"Version", v.Version}, {"API Version", v.APIVersion},
		{"Go Version", v.GoVersion}, {"Git Commit", v.GitCommit}, {"Built", v.BuiltTime}, {"OS/Arch", v.OsArch}} {
		if line.value == "" {
			continue
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%-14s %s\n", line.name+":", line.value); err != nil {
			return err
		}
	}
	return nil
}

// NewInfo is `podman info`.
func NewInfo(version, buildahVersion string) func(*app.App) *cobra.Command {
	return func(a *app.App) *cobra.Command {
		var format string
		cmd := &cobra.Command{
			Use:     "info [options]",
			Short:   "Display podman system information",
			Long:    "Shows what is known of the host, the store and the settings.",
			Args:    cobra.NoArgs,
			Example: "  podman info\n  podman info --format '{{.Store.GraphRoot}}'",
		}
		cmd.Flags().StringVarP(&format, "format", "f", "", "Change the output format to JSON or a Go template")
		cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, _ []string) error {
			info, err := e.Info()
			if err != nil {
				return err
			}
			info.Version, info.Host.BuildahVersion = thisVersion(version), buildahVersion
			switch format {
			case "":
				return cliout.YAML(cmd.OutOrStdout(), info)
			case "json":
				return cliout.JSON(cmd.OutOrStdout(), info, 2)
			}
			return cliout.Template(cmd.OutOrStdout(), "info", format, info)
		})
		return cmd
	}
}
