package engine

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/podsuite/podsuite/podman/engine/event"
	"github.com/podsuite/podsuite/podman/engine/lock"
	"github.com/podsuite/podsuite/podman/engine/pod"
	"github.com/podsuite/podsuite/podman/engine/volume"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

// Version is the version of podman whose commands and output these are.
const Version = "5.8.6"

// Engine works on one store. Its parts are opened when first used: a command
// pays for what it touches.
type Engine struct {
	Config *config.Config
	Store  *store.Store
	// Self is the command line, without arguments, that runs this podman on
	// this store; the monitor cleans up with it.
	Self []string

	oneShot bool
	// runtimeFlags and debug are for external runtimes.
	runtimeFlags []string
	debug        bool
	networks     func() (*network.Manager, error)
	events       *event.Log
	// cgroupManager is who makes control groups: cgroupfs or systemd.
	cgroupManager func() string
}

// Options choose the engine's store and ways.
type Options struct {
	Config           *config.Config
	NetworkConfigDir string // "" = the default
	Self             []string
	OneShot          bool     // the process carries out one command and ends
	RuntimeFlags     []string // global options of the runtime, without dashes
	LogLevel         string   // from which level on the libraries are heard; "" = not at all
}

// Open opens the store and makes an engine on it.
func Open(o Options) (*Engine, error) {
	s := o.Config.Storage
	e := &Engine{Config: o.Config, Self: o.Self, oneShot: o.OneShot, runtimeFlags: o.RuntimeFlags, debug: o.LogLevel == "debug" || o.LogLevel == "trace"}
	warn := func(msg string) { cliout.Warn(os.Stderr, "%s", msg) }
	var log io.Writer
	if o.LogLevel != "" {
		log = os.Stderr
	}
	st, err := store.Open(store.Options{GraphRoot: s.GraphRoot, RunRoot: s.RunRoot, Driver: s.Driver,
		DriverOptions: s.DriverOptions, ImageStore: s.ImageStore, TransientStore: s.TransientStore, AlwaysSynced: s.AlwaysSynced,
		Warn: warn, Log: log, LogLevel: o.LogLevel,
		AutoUser: s.AutoUser, AutoMinSize: s.AutoMinSize, AutoMaxSize: s.AutoMaxSize,
		Healed: func(id string) { lock.Forget(e.runDir("locks"), id) }})
	if err != nil {
		return nil, err
	}
	e.Store = st
	e.networks = sync.OnceValues(func() (*network.Manager, error) {
		return e.openNetworks(o.NetworkConfigDir)
	})
	e.events = e.openEvents(o.Config)
	e.cgroupManager = sync.OnceValue(e.chooseManager)
	return e, nil
}

// Close lets go of the store.
func (e *Engine) Close() error { return e.Store.Close() }

// runDir is a directory of the engine's own on the run root.
func (e *Engine) runDir(name string) string {
	return filepath.Join(e.Store.RunRoot(), "podman", name)
}

// programDir is where the programs are that podman carries inside.
func (e *Engine) programDir() string { return filepath.Join(e.Store.GraphRoot(), "podman") }

// Volumes are the store's named volumes.
func (e *Engine) Volumes() *volume.Dir {
	path := e.Config.Engine.VolumePath
	if path == "" {
		path = filepath.Join(e.Store.GraphRoot(), "volumes")
	}
	return volume.Open(path)
}

// Pods are the store's pods.
func (e *Engine) Pods() *pod.Dir { return pod.Open(filepath.Join(e.Store.GraphRoot(), "pods")) }

// lockPod takes the pod's lock, before those of its containers.
func (e *Engine) lockPod(id string) (*lock.Lock, error) {
	return lock.Acquire(e.runDir("locks"), "pod-"+id)
}

// lockContainer takes the container's lock.
func (e *Engine) lockContainer(id string) (*lock.Lock, error) {
	return lock.Acquire(e.runDir("locks"), id)
}

// runtimeDir is where the runtime keeps its state.
func (e *Engine) runtimeDir() string { return e.runDir("runtime") }

// runtime opens the runtime called name; "" is the configured default.
func (e *Engine) runtime(name string) (runtime.Runtime, error) {
	return runtime.Open(e.runtimePath(name), e.runtimeDir(), runtime.Options{SystemdCgroup: e.systemdCgroups(), NoKeyring: !e.Config.Containers.Keyring,
		Flags: e.flagsOf(name), Debug: e.debug})
}

// flagsOf are the global options that a runtime gets: those of the command
// line, and those that the configuration has for it.
func (e *Engine) flagsOf(name string) []string {
	return slices.Concat(e.Config.Engine.RuntimesFlags[name], e.runtimeFlags)
}

// runtimePath is the first program of the configuration's list for a runtime
// that is there; else the name, to be looked for as such.
func (e *Engine) runtimePath(name string) string {
	for _, path := range e.Config.Engine.Runtimes[name] {
		if exists(path) {
			return path
		}
	}
	return name
}

// mkdirPrivate makes a directory that only its owner enters.
func mkdirPrivate(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("create directory %q: %w", path, err)
	}
	return nil
}
