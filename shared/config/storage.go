package config

import (
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Storage is where images and containers lie (containers-storage.conf(5)).
type Storage struct {
	Driver         string // "" lets the store choose
	GraphRoot      string
	RunRoot        string
	ImageStore     string   // read-write place of images apart from GraphRoot; "" is GraphRoot
	DriverOptions  []string // DRIVER.KEY=VALUE, additional stores included
	TransientStore bool
	AlwaysSynced   bool // what is written to a volatile container gets to the disk, too

	// Of user namespaces whose IDs are chosen; 0 and "" are the store's defaults.
	AutoUser                 string
	AutoMinSize, AutoMaxSize uint32

	Pull PullOptions
}

// PullOptions say how layers come into the store.
type PullOptions struct {
	InParts bool // those in zstd:chunked form: only what isn't here

	file, asked string // what was asked for that can't be
}

// Check refuses what a pull can't do: files are copied and verified, not linked or
// taken as somebody says they are.
func (p PullOptions) Check() error {
	if p.asked == "" {
		return nil
	}
	return errdef.Newf(errdef.ErrUnsupported, "storage.options.pull_options.%s is not supported: remove it from %q", p.asked, p.file)
}

// storageFile is the shape of storage.conf.
type storageFile struct {
	Storage struct {
		Driver              string         `toml:"driver"`
		DriverPriority      []string       `toml:"driver_priority"`
		GraphRoot           string         `toml:"graphroot"`
		RunRoot             string         `toml:"runroot"`
		ImageStore          string         `toml:"imagestore"`
		RootlessStoragePath string         `toml:"rootless_storage_path"`
		TransientStore      bool           `toml:"transient_store"`
		Options             storageOptions `toml:"options"`
	} `toml:"storage"`
}

type storageOptions struct {
	AdditionalImageStores []string     `toml:"additionalimagestores"`
	AdditionalLayerStores []string     `toml:"additionallayerstores"`
	ImageStore            string       `toml:"imagestore"`
	DisableVolatile       bool         `toml:"disable-volatile"`
	Overlay               driverOption `toml:"overlay"`
	VFS                   driverOption `toml:"vfs"`
	Btrfs                 driverOption `toml:"btrfs"`
	MountProgram          string       `toml:"mount_program"`
	MountOpt              string       `toml:"mountopt"`
	IgnoreChownErrors     string       `toml:"ignore_chown_errors"`
	ForceMask             string       `toml:"force_mask"`
	SkipMountHome         string       `toml:"skip_mount_home"`
	Size                  string       `toml:"size"`
	AutoUser              string       `toml:"root-auto-userns-user"`
	AutoMinSize           uint32       `toml:"auto-userns-min-size"`
	AutoMaxSize           uint32       `toml:"auto-userns-max-size"`
	Pull                  pullOptions  `toml:"pull_options"`
}

type pullOptions struct {
	InParts       bool   `toml:"enable_partial_images"`
	HardLinks     bool   `toml:"use_hard_links"`
	OSTreeRepos   string `toml:"ostree_repos"`
	Convert       bool   `toml:"convert_images"`
	Unpredictable bool   `toml:"insecure_allow_unpredictable_image_contents"`
}

// plain gives the options without what can't be.
func (o pullOptions) plain(file string) PullOptions {
	p := PullOptions{InParts: o.InParts}
	switch {
	case o.HardLinks:
		p.asked = "use_hard_links"
	case o.OSTreeRepos != "":
		p.asked = "ostree_repos"
	case o.Convert:
		p.asked = "convert_images"
	case o.Unpredictable:
		p.asked = "insecure_allow_unpredictable_image_contents"
	default:
		return p
	}
	p.file = file
	return p
}

type driverOption struct {
	IgnoreChownErrors string `toml:"ignore_chown_errors"`
	Inodes            string `toml:"inodes"`
	ForceMask         string `toml:"force_mask"`
	MountProgram      string `toml:"mount_program"`
	MountOpt          string `toml:"mountopt"`
	SkipMountHome     string `toml:"skip_mount_home"`
	Size              string `toml:"size"`
	MinSpace          string `toml:"min_space"`
	UseComposefs      string `toml:"use_composefs"`
}

// loadStorage finds the one storage.conf that applies. The user's own file
// stands alone; the system's gives an ordinary user its driver and options,
// never its directories.
func (c *Config) loadStorage() error {
	f := storageFile{}
	f.Storage.Options.Pull.InParts = true
	path, own := c.storageFile()
	raw, err := readTOML(path)
	if err != nil {
		return err
	}
	l := newLayers()
	if err := l.apply(path, raw, &f); err != nil {
		return err
	}
	c.UnknownKeys = append(c.UnknownKeys, l.unknown...)
	s := &c.Storage
	s.Driver, s.TransientStore = f.Storage.Driver, f.Storage.TransientStore
	o := &f.Storage.Options
	s.AlwaysSynced, s.Pull = o.DisableVolatile, o.Pull.plain(path)
	s.AutoUser, s.AutoMinSize, s.AutoMaxSize = o.AutoUser, o.AutoMinSize, o.AutoMaxSize
	s.GraphRoot, s.RunRoot, s.ImageStore = f.Storage.GraphRoot, f.Storage.RunRoot, f.Storage.ImageStore
	if s.ImageStore == "" {
		s.ImageStore = f.Storage.Options.ImageStore
	}
	if s.Driver == "" {
		if s.Driver, err = preferred(f.Storage.DriverPriority); err != nil {
			return errdef.Newf(errdef.ErrInvalid, "parse configuration %q: %w", path, err)
		}
	}
	if c.Rootless {
		if !own {
			s.GraphRoot, s.RunRoot, s.ImageStore = "", "", ""
		}
		if s.GraphRoot == "" {
			s.GraphRoot = f.Storage.RootlessStoragePath
		}
	}
	s.GraphRoot, s.RunRoot, s.ImageStore = c.expand(s.GraphRoot), c.expand(s.RunRoot), c.expand(s.ImageStore)
	c.storageDefaults()
	if d := c.env("STORAGE_DRIVER"); d != "" {
		s.Driver = d
	}
	s.DriverOptions = f.Storage.Options.list(s.Driver)
	if o := c.env("STORAGE_OPTS"); o != "" {
		s.DriverOptions = append(s.DriverOptions, strings.Split(o, ",")...)
	}
	for _, p := range []string{s.GraphRoot, s.RunRoot} {
		if !filepath.IsAbs(p) {
			return errdef.Newf(errdef.ErrInvalid, "parse configuration %q: storage directory %q is not an absolute path", path, p)
		}
	}
	return nil
}

// preferred is the first driver of the list that there is; an empty list leaves
// the choice to the store.
func preferred(drivers []string) (string, error) {
	for _, d := range drivers {
		if d == "overlay" || d == "vfs" {
			return d, nil
		}
	}
	if len(drivers) > 0 {
		return "", errdef.Newf(errdef.ErrUnsupported, "driver_priority has neither overlay nor vfs, which are the drivers that there are")
	}
	return "", nil
}

// storageFile is the file to read and whether it is the user's own.
func (c *Config) storageFile() (path string, own bool) {
	if p := c.env("CONTAINERS_STORAGE_CONF"); p != "" {
		return p, true
	}
	if c.Rootless {
		if p := filepath.Join(c.ConfigHome, "containers/storage.conf"); exists(p) {
			return p, true
		}
	}
	return firstExisting(c.system("/etc/containers/storage.conf"), c.system("/usr/share/containers/storage.conf")), false
}

func (c *Config) storageDefaults() {
	s := &c.Storage
	switch {
	case s.GraphRoot != "":
	case c.Rootless:
		s.GraphRoot = filepath.Join(c.DataHome, "containers/storage")
	default:
		s.GraphRoot = c.system("/var/lib/containers/storage")
	}
	switch {
	case s.RunRoot != "":
	case c.Rootless:
		s.RunRoot = filepath.Join(c.RuntimeDir, "containers")
	default:
		s.RunRoot = c.system("/run/containers/storage")
	}
	if s.ImageStore == s.GraphRoot {
		s.ImageStore = ""
	}
}

// expand replaces $HOME, $UID, $USER and other variables in a path.
func (c *Config) expand(path string) string {
	if !strings.Contains(path, "$") {
		return path
	}
	return os.Expand(path, func(name string) string {
		switch name {
		case "HOME":
			return c.Home
		case "UID":
			return strconv.Itoa(c.UID)
		}
		return c.env(name)
	})
}

// list writes the options in the form that the store's drivers take.
func (o storageOptions) list(driver string) []string {
	var out []string
	d := o.Overlay
	switch driver {
	case "vfs":
		d = o.VFS
	case "btrfs":
		d = o.Btrfs
	}
	if driver == "" {
		driver = "overlay"
	}
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return v
			}
		}
		return ""
	}
	for key, value := range map[string]string{
		"ignore_chown_errors": first(d.IgnoreChownErrors, o.IgnoreChownErrors),
		"inodes":              d.Inodes,
		"force_mask":          first(d.ForceMask, o.ForceMask),
		"mount_program":       first(d.MountProgram, o.MountProgram),
		"mountopt":            first(d.MountOpt, o.MountOpt),
		"skip_mount_home":     first(d.SkipMountHome, o.SkipMountHome),
		"size":                first(d.Size, o.Size),
		"min_space":           d.MinSpace,
		"use_composefs":       d.UseComposefs,
	} {
		if value != "" {
			out = append(out, driver+"."+key+"="+value)
		}
	}
	sort.Strings(out)
	for _, p := range o.AdditionalImageStores {
		out = append(out, driver+".imagestore="+p)
	}
	for _, p := range o.AdditionalLayerStores {
		out = append(out, driver+".additionallayerstore="+p)
	}
	return out
}
