// Package app is what all commands of podman share: the global options and
// the engine they open with them. It imports the engine and shared packages;
// the command packages import it.
package app

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliflag"
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
	volumePath, events, dockerConfig, out    string
	runtimeFlags                             []string
	transientStore                           bool
	logLevel                                 logLevel
	refused                                  cliflag.Refused
}

const (
	noClient = "this is no client of a service"
	noConmon = "the monitor is built in"
)

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
	f.StringVar(&a.volumePath, "volumepath", "", "Path to the volume directory in which volume data is stored")
	f.StringVar(&a.events, "events-backend", "", `Events backend to use ("file"|"journald"|"none")`)
	f.StringVar(&a.dockerConfig, "config", "", "Location of authentication config file")
	f.StringVar(&a.out, "out", "", "Send output (stdout) from podman to a file")
	f.StringArrayVar(&a.runtimeFlags, "runtime-flag", nil, "add global flags for the container runtime")
	f.BoolVar(&a.transientStore, "transient-store", false, "Enable transient container storage")
	f.Var(&a.logLevel, "log-level", "Log messages above specified level ("+levels+")")
	a.bindRefused(f)
}

// bindRefused declares what is known and not to be had.
func (a *App) bindRefused(f *pflag.FlagSet) {
	add := a.refused.Add
	add(f, "conmon", "string", "Path of the conmon binary", noConmon)
	add(f, "network-cmd-path", "string", "Path to the command for configuring the network", "slirp4netns is not used")
	add(f, "syslog", "bool", "Output logging information to syslog as well as the console", "messages go to standard error only")
	add(f, "tmpdir", "string", "Path to the tmp directory for libpod state content", "what is true of this boot lies below --runroot")
	add(f, "identity", "string", "path to SSH identity file", noClient)
	add(f, "ssh", "string", "define the ssh mode", noClient)
	add(f, "tls-ca", "string", "path to TLS certificate Authority PEM file for remote", noClient)
	add(f, "tls-cert", "string", "path to TLS client certificate PEM file for remote", noClient)
	add(f, "tls-key", "string", "path to TLS client certificate private key PEM file for remote", noClient)
	add(f, "url", "string", "URL to access Podman service", noClient)
	// Without their short forms: what is global here is every command's, and -c and -r are taken.
	add(f, "connection", "string", "Connection to use for remote Podman service", noClient)
	add(f, "remote", "bool", "Access remote Podman service", noClient)
}

// Begin is what comes before every command: the options that are not to be
// had are refused, and the output goes where --out says.
func (a *App) Begin(cmd *cobra.Command) error {
	if err := a.refused.Check(); err != nil {
		return err
	}
	if a.dockerConfig != "" {
		if err := os.Setenv("DOCKER_CONFIG", a.dockerConfig); err != nil {
			return fmt.Errorf("use --config %q: %w", a.dockerConfig, err)
		}
	}
	if a.out == "" {
		return nil
	}
	f, err := os.Create(a.out)
	if err != nil {
		return fmt.Errorf("send output to a file: %w", err)
	}
	cmd.Root().SetOut(f)
	return nil
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
	if err := noRemote(c); err != nil {
		return nil, err
	}
	if a.runtime != "" {
		c.Engine.PlatformToOCIRuntime = nil // of the command line's for every platform
	}
	for _, over := range []struct {
		asked string
		value *string
	}{{a.root, &c.Storage.GraphRoot}, {a.runRoot, &c.Storage.RunRoot}, {a.imageStore, &c.Storage.ImageStore},
		{a.storageDriver, &c.Storage.Driver}, {a.runtime, &c.Engine.Runtime}, {a.cgroupManager, &c.Engine.CgroupManager},
		{a.volumePath, &c.Engine.VolumePath}, {a.events, &c.Engine.EventsLogger}} {
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
	if b := c.Engine.EventsLogger; b != "" && b != "file" && b != "journald" && b != "none" {
		return nil, errdef.Newf(errdef.ErrInvalid, "%q is not a valid events backend: choose file, journald or none", b)
	}
	c.Storage.TransientStore = c.Storage.TransientStore || a.transientStore
	return c, nil
}

// noRemote refuses what asks for a service on another machine: to work on
// this one instead would be worse.
func noRemote(c *config.Config) error {
	for _, name := range []string{"CONTAINER_HOST", "CONTAINER_CONNECTION"} {
		if c.Getenv(name) != "" {
			return errdef.Newf(errdef.ErrUnsupported, "environment variable %s is set: %s", name, noClient)
		}
	}
	if c.Engine.Remote {
		return errdef.Newf(errdef.ErrUnsupported, "containers.conf has engine.remote = true: %s", noClient)
	}
	return nil
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
	a.logConfig(c)
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return engine.Open(engine.Options{Config: c, NetworkConfigDir: a.networkConfigDir, Self: append([]string{self}, a.args(c)...), OneShot: true,
		RuntimeFlags: a.runtimeFlags, LogLevel: string(a.logLevel)})
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
		{"--runtime", a.runtime}, {"--cgroup-manager", a.cgroupManager}, {"--network-config-dir", a.networkConfigDir},
		{"--volumepath", a.volumePath}, {"--events-backend", a.events}} {
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
	if a.transientStore {
		args = append(args, "--transient-store")
	}
	for _, flag := range a.runtimeFlags {
		args = append(args, "--runtime-flag", flag)
	}
	for _, o := range a.storageOpts {
		args = append(args, "--storage-opt", o)
	}
	for _, m := range a.modules {
		args = append(args, "--module", m)
	}
	return args
}
