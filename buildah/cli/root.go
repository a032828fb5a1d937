package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/buildcmd"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/complete"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/userns"
)

// version is the release; the compatible level of the reference's file formats.
const version = "1.43.2"

// app holds the global options of one run of the program.
type app struct {
	root, runRoot, imageStore, storageDriver string
	storageOpts                              []string
	runtime                                  string // of RUN, "" as configured
	runtimeFlags                             []string
	cgroupManager, registriesDir, aliases    string
	logLevel                                 string
	registriesConf                           string
	transient                                bool
	refused                                  cliflag.Refused
}

// NewRoot is the whole command tree.
func NewRoot() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:     "buildah",
		Short:   "A tool that facilitates building OCI images",
		Version: version,
	}
	root.SetVersionTemplate("{{.Name}} version {{.Version}} (image-spec 1.1.1, runtime-spec 1.3.0)\n")
	f := root.PersistentFlags()
	f.StringVar(&a.root, "root", "", "storage root dir")
	f.StringVar(&a.runRoot, "runroot", "", "storage state dir")
	f.StringVar(&a.imageStore, "imagestore", "", "storage imagestore dir")
	f.StringVar(&a.storageDriver, "storage-driver", "", "storage-driver")
	f.StringVar(&a.registriesConf, "registries-conf", "", "path to registries.conf file (not usually used)")
	f.StringVar(&a.registriesDir, "registries-conf-dir", "", "path to registries.conf.d directory (not usually used)")
	f.StringVar(&a.aliases, "short-name-alias-conf", "", "path to short name alias cache file (not usually used)")
	f.StringVar(&a.cgroupManager, "cgroup-manager", "cgroupfs", "cgroup manager")
	f.StringVar(&a.logLevel, "log-level", "warn", `the log level to be used, one of "trace", "debug", "info", "warn", "error", "fatal", or "panic"`)
	f.BoolVar(&a.transient, "transient-store", false, "store some container metadata in non-persistent storage")
	f.StringSliceVar(&a.storageOpts, "storage-opt", nil, "storage driver option")
	a.refused.Add(f, "userns-uid-map", "ctrID:hostID:length", "default `ctrID:hostID:length` UID mapping to use", buildcmd.NoUserns)
	a.refused.Add(f, "userns-gid-map", "ctrID:hostID:length", "default `ctrID:hostID:length` GID mapping to use", buildcmd.NoUserns)
	root.AddCommand(newAdd(a), newBuild(a), newCommit(a), newConfig(a), newContainers(a), newCopy(a), newFrom(a), newImages(a), newInfo(a),
		newInspect(a), newLogin(a), newLogout(a), newManifest(a), newMkcw(), newMount(a), newPrune(a), newPull(a), newPush(a), newRename(a), newRm(a), newRmi(a), newRun(a), newSource(a),
		newTag(a), newUmount(a), newUnshare(a), newVersion())
	if complete.Asked(os.Args[1:]) {
		complete.Add(root, a.words())
	}
	return root
}

// config loads the configuration, the global options put over it.
func (a *app) config() (*config.Config, error) {
	if err := a.refused.Check(); err != nil {
		return nil, err
	}
	o := config.Options{Getenv: a.getenv, RegistriesDir: a.registriesDir, AliasFile: a.aliases}
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
	for _, over := range []struct {
		asked string
		value *string
	}{
		{a.root, &c.Storage.GraphRoot}, {a.runRoot, &c.Storage.RunRoot},
		{a.imageStore, &c.Storage.ImageStore}, {a.storageDriver, &c.Storage.Driver},
	} {
		if over.asked != "" {
			*over.value = over.asked
		}
	}
	switch a.cgroupManager {
	case "cgroupfs":
	case "systemd":
		return nil, errdef.Newf(errdef.ErrUnsupported, "--cgroup-manager=systemd is not supported: what RUN starts is put into control groups directly")
	default:
		return nil, errdef.Newf(errdef.ErrInvalid, "unknown cgroup manager %q: choose cgroupfs", a.cgroupManager)
	}
	c.Storage.TransientStore = c.Storage.TransientStore || a.transient
	if len(a.storageOpts) > 0 {
		c.Storage.DriverOptions = a.storageOpts
	}
	return c, nil
}

// getenv is the environment, with what the global options put over it.
func (a *app) getenv(name string) string {
	if name == "CONTAINERS_REGISTRIES_CONF" && a.registriesConf != "" {
		return a.registriesConf
	}
	return os.Getenv(name)
}

// open opens the store; a user without root enters their namespace first,
// which may start this program anew and not return.
func (a *app) open() (*store.Store, *config.Config, error) {
	c, err := a.config()
	if err != nil {
		return nil, nil, err
	}
	if userns.Rootless() {
		dir, err := userns.StateDir()
		if err != nil {
			return nil, nil, err
		}
		if err := userns.Enter(dir, runtime.FreePause); err != nil {
			return nil, nil, err
		}
	}
	st, err := store.Open(store.Options{
		GraphRoot: c.Storage.GraphRoot, RunRoot: c.Storage.RunRoot, Driver: c.Storage.Driver,
		DriverOptions: c.Storage.DriverOptions, ImageStore: c.Storage.ImageStore,
		TransientStore: c.Storage.TransientStore, AlwaysSynced: c.Storage.AlwaysSynced, Log: os.Stderr, LogLevel: a.logLevel,
		Warn: func(msg string) { cliout.Warn(os.Stderr, "%s", msg) },
	})
	if err != nil {
		return nil, nil, err
	}
	return st, c, nil
}

// openRuntime opens the engine that RUN uses; its state lies on the store's
// run root.
func (a *app) openRuntime(c *config.Config, flags []string) (runtime.Runtime, error) {
	name := a.runtime
	if name == "" {
		name = c.Engine.Runtime
	}
	rt, err := runtime.Open(name, filepath.Join(c.Storage.RunRoot, "build-runtime"), runtime.Options{CgroupParent: "/buildah", Flags: flags})
	if err != nil {
		return nil, fmt.Errorf("open runtime: %w", err)
	}
	return rt, runtime.SetSubreaper()
}
