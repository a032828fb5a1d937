package store

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"
	"go.podman.io/storage"
	_ "go.podman.io/storage/drivers/overlay" // the driver registers itself
	_ "go.podman.io/storage/drivers/vfs"
	"go.podman.io/storage/pkg/ioutils"
	"go.podman.io/storage/pkg/reexec"
	"go.podman.io/storage/types"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Options say where a store is. GraphRoot and RunRoot are required.
type Options struct {
	GraphRoot     string   // persistent data
	RunRoot       string   // data that a reboot may clear
	Driver        string   // "" means overlay
	DriverOptions []string // as in storage.conf: "overlay.mountopt=nodev", …
	ImageStore    string   // a separate root for images and their layers; "" means GraphRoot

	// Of user namespaces whose IDs the store chooses: whose ranges in
	// /etc/subuid root gives out, "" for containers, and bounds of the size, 0
	// for 1024 and 65536.
	AutoUser                 string
	AutoMinSize, AutoMaxSize uint32

	AlwaysSynced   bool // volatile containers' files get to the disk, too
	TransientStore bool // containers lie in RunRoot, and are gone after a reboot

	// Healed is called, unless nil, with the ID of a container that a killed
	// process was making or removing, after the rest of it is gone.
	Healed func(container string)

	// Warn is called, unless nil, with what a user should know of what was
	// healed: a line without an end.
	Warn func(msg string)

	// Log receives the storage library's own log lines, which go nowhere
	// when it is nil. The library logs through a process-wide logger, so the
	// last store that is opened decides.
	Log io.Writer
	// LogLevel is the least level that is logged, by its name; "" is "info".
	LogLevel string
}

// MaybeInit must be the first call of every program that opens a store: the
// library starts the program again for some of its work, in a process of its
// own. If it returns true, that work is done and the program should end.
func MaybeInit() bool { return reexec.Init() }

// Store is an open store. Its methods are safe for concurrent use, and other
// processes, the reference tools' included, may use the same store meanwhile.
type Store struct {
	lib   storage.Store
	opts  Options
	boot  string    // the name of this boot
	prune sync.Once // of staging directories and partial blobs that were left behind

	partials atomic.Int64 // bytes of the partial blobs that this process has open
	planning sync.Mutex   // of recipes, one at a time: each takes memory

	claiming sync.Mutex
	claims   map[string]*os.File // by the file's name, locked
	heal     sync.Once           // of what killed processes left of containers and images

	layering sync.Mutex
	layers   layersClaim
}

// Open opens the store, making its directories when they are missing.
func Open(o Options) (*Store, error) {
	if o.GraphRoot == "" || o.RunRoot == "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "open store: no graph root or run root given")
	}
	if o.Driver == "" {
		o.Driver = "overlay"
	}
	var err error
	for _, p := range []*string{&o.GraphRoot, &o.RunRoot, &o.ImageStore} {
		if *p == "" {
			continue
		}
		if *p, err = filepath.Abs(*p); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	boot, err := sinceBoot(o)
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", o.GraphRoot, err)
	}
	logrus.SetOutput(o.Log)
	if o.LogLevel != "" {
		level, err := logrus.ParseLevel(o.LogLevel)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "log level %q is not supported: choose from: trace, debug, info, warn, error, fatal or panic", o.LogLevel)
		}
		logrus.SetLevel(level)
	}
	lib, err := storage.GetStore(types.StoreOptions{
		GraphRoot:          o.GraphRoot,
		RunRoot:            o.RunRoot,
		GraphDriverName:    o.Driver,
		GraphDriverOptions: o.DriverOptions,
		ImageStore:         o.ImageStore,
		TransientStore:     o.TransientStore,
		DisableVolatile:    o.AlwaysSynced,
		RootAutoNsUser:     o.AutoUser,
		AutoNsMinSize:      o.AutoMinSize,
		AutoNsMaxSize:      o.AutoMaxSize,
	})
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", o.GraphRoot, err)
	}
	return &Store{lib: lib, opts: o, boot: boot}, nil
}

// Close forgets the store. Nothing is unmounted: containers may be running.
func (s *Store) Close() error {
	s.discountLayers()
	s.lib.Free()
	return nil
}

// Unsynced makes this process's further writes to its stores go without
// waiting for the disk. It is for a process that from now on writes only what
// need not survive a crash of the machine: a volatile container's records.
func Unsynced() { ioutils.SetDefaultOptions(ioutils.AtomicFileWriterOptions{NoSync: true}) }

// GraphRoot is the directory of the persistent data.
func (s *Store) GraphRoot() string { return s.lib.GraphRoot() }

// RunRoot is the directory of the data that a reboot may clear.
func (s *Store) RunRoot() string { return s.lib.RunRoot() }

// BuildCache is the directory of what builders keep for later builds: the
// contents of their cache mounts below "mounts", and notes of their own.
func (s *Store) BuildCache() string { return filepath.Join(s.GraphRoot(), "build-cache") }

// Driver is the name of the storage driver.
func (s *Store) Driver() string { return s.lib.GraphDriverName() }
