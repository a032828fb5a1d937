// Package app is what all commands of podman share: the global options and
// the engine they open with them. It imports the engine and shared packages;
// the command packages import it.
package app

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/userns"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// App holds the global options of one run of the program.
type App struct {
	root, runRoot, imageStore, storageDriver string
	storageOpts, modules                     []string
	hooksDirs, cdiDirs                       []string
	runtime, cgroupManager, networkConfigDir string
}

// Flags binds the global options.
func (a *App) Flags(f *pflag.FlagSet) {
	f.StringVar(&a.root, "root", "", "Path to the root directory in which data, including images, is stored")
	f.StringVar(&a.runRoot, "runroot", "", "Path to the 'run directory' where all state information is stored")
	f.StringVar(&a.imageStore, "imagestore", "", "Path to the 'image store', different from 'graph root', use this to split storing the image into a separate 'image store'")
	f.StringVar(&a.storageDriver, "storage-driver", "", "Select which storage driver is used to manage storage of images and containers")
	f.StringArrayVar(&a.storageOpts, "storage-opt", nil, "Used to pass an option to the storage driver")
	f.StringArrayVar(&a.modules, "module", nil, "Load the containers.conf(5) module")
	f.StringArrayVar(&a.hooksDirs, "hooks-dir", nil, "Set the OCI hooks directory path (may be set multiple times)")
	f.StringArrayVar(&a.cdiDirs, "cdi-spec-dir", nil, "Set the CDI spec directory path (may be set multiple times)")
	f.StringVar(&a.runtime, "runtime", "", "OCI runtime: builtin, or the name or path of a program such as crun or runc")
	f.StringVar(&a.cgroupManager, "cgroup-manager", "", `Cgroup manager to use ("cgroupfs"|"systemd")`)
	f.StringVar(&a.networkConfigDir, "network-config-dir", "", "Path of the configuration directory for networks")
}

// Config loads the configuration, the global options put over it.
func (a *App) Config() (*config.Config, error) {
	o := config.Options{Modules: a.modules}
	if userns.Rootless() {
		o.User = &config.User{UID: userns.RealUID(), Home: userns.Home()}
	}
	c, err := config.Load(o)
	if err != nil {
		return nil, &errdef.Exit{Code: 1, Err: err}
	}
	if err := c.SetEnvironment(); err != nil {
		return nil, err
	}
	if a.root != "" && c.Engine.VolumePath == filepath.Join(c.Storage.GraphRoot, "volumes") {
		c.Engine.VolumePath = filepath.Join(a.root, "volumes") // it follows the root, unless it was set
	}
	for _, over := range []struct {
		asked string
		value *string
	}{{a.root, &c.Storage.GraphRoot}, {a.runRoot, &c.Storage.RunRoot}, {a.imageStore, &c.Storage.ImageStore},
		{a.storageDriver, &c.Storage.Driver}, {a.runtime, &c.Engine.Runtime}, {a.cgroupManager, &c.Engine.CgroupManager}} {
		if over.asked != "" {
			*over.value = over.asked
		}
	}
	for _, over := range []struct {
		asked []string
		value *[]string
	}{{a.hooksDirs, &c.Engine.HooksDir}, {a.cdiDirs, &c.Engine.CDISpecDirs}} {
		if len(over.asked) > 0 {
			*over.value = over.asked
		}
	}
	if len(a.storageOpts) > 0 {
		c.Storage.DriverOptions = a.storageOpts
	}
	if m := c.Engine.CgroupManager; m != "" && m != "systemd" && m != "cgroupfs" {
		return nil, fmt.Errorf("unknown cgroup manager %q: choose cgroupfs or systemd", m)
	}
	return c, nil
}

// Engine opens the engine; a user without root enters their namespace first,
// which may start this program anew and not return.
func (a *App) Engine() (*engine.Engine, error) {
	c, err := a.Config()
	if err != nil {
		return nil, err
	}
	if err := enterNamespace(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return engine.Open(engine.Options{Config: c, NetworkConfigDir: a.networkConfigDir, Self: append([]string{self}, a.args(c)...), OneShot: true})
}

// With makes the RunE of a command that works on the engine.
func (a *App) With(run func(cmd *cobra.Command, e *engine.Engine, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		return run(cmd, e, args)
	}
}

// enterNamespace moves a user without root into their user namespace.
func enterNamespace() error {
	if !userns.Rootless() {
		return nil
	}
	dir, err := userns.StateDir()
	if err != nil {
		return err
	}
	return userns.Enter(dir, runtime.FreePause)
}

// args are the global options that let another podman work on the same store
// in the same way.
func (a *App) args(c *config.Config) []string {
	args := []string{"--root", c.Storage.GraphRoot, "--runroot", c.Storage.RunRoot}
	for _, o := range []struct{ flag, value string }{{"--imagestore", a.imageStore}, {"--storage-driver", a.storageDriver},
		{"--runtime", a.runtime}, {"--cgroup-manager", a.cgroupManager}, {"--network-config-dir", a.networkConfigDir}} {
		if o.value != "" {
			args = append(args, o.flag, o.value)
		}
	}
	for _, dir := range a.hooksDirs {
		args = append(args, "--hooks-dir", dir)
	}
	for _, dir := range a.cdiDirs {
		args = append(args, "--cdi-spec-dir", dir)
	}
	for _, o := range a.storageOpts {
		args = append(args, "--storage-opt", o)
	}
	for _, m := range a.modules {
		args = append(args, "--module", m)
	}
	return args
}
