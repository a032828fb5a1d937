package config

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// User is the person whose configuration applies. Inside a user namespace the
// process's own IDs tell nothing, so a caller that runs there says who it is.
type User struct {
	UID  int
	Home string // $HOME; "" looks it up
}

// Options say whose configuration is loaded and from where.
type Options struct {
	User   *User                    // nil: the user of the process
	Getenv func(name string) string // nil: os.Getenv
	Prefix string                   // put before the system-wide paths; for tests
	// Modules are extra containers.conf files that are loaded after all
	// others but the override: absolute paths or names in the module
	// directories.
	Modules []string
	// RegistriesDir, unless empty, stands for the directories of drop-ins of
	// registries.conf.
	RegistriesDir string
	// AliasFile, unless empty, stands for the file of recorded short names.
	AliasFile string
}

// Config is what the configuration files and their defaults come to.
type Config struct {
	Storage    Storage
	Containers Containers
	Network    Network
	Engine     Engine
	Secrets    Secrets
	Farms      Farms
	PodmanSh   PodmanSh

	// Files are the files of containers.conf that were read, in this order.
	Files []string

	// UnknownKeys says which keys of containers.conf and storage.conf mean
	// nothing here. They are not errors: other versions may know them.
	UnknownKeys []string

	UID        int    // of the user the configuration is for
	Rootless   bool   // UID is not 0
	Home       string // home directory
	ConfigHome string // $XDG_CONFIG_HOME or ~/.config
	DataHome   string // $XDG_DATA_HOME or ~/.local/share
	RuntimeDir string // $XDG_RUNTIME_DIR or what stands in for it; /run for root

	env    func(string) string
	prefix string
	places struct{ registriesDir, aliasFile string } // asked for instead of the usual ones
	setIn  map[string]string                         // keys of containers.conf to the file that set them last

	registriesOnce sync.Once
	registries     *Registries
	registriesErr  error
}

// Load reads containers.conf and storage.conf. registries.conf is read when
// Registries is called first, so that a command that needs no registry pays
// nothing for it and is not stopped by a mistake in it.
func Load(opts Options) (*Config, error) {
	c := &Config{env: opts.Getenv, prefix: opts.Prefix, UID: os.Getuid()}
	c.places.registriesDir, c.places.aliasFile = opts.RegistriesDir, opts.AliasFile
	if c.env == nil {
		c.env = os.Getenv
	}
	if opts.User != nil {
		c.UID = opts.User.UID
		c.Home = opts.User.Home
	}
	c.Rootless = c.UID != 0
	if err := c.setDirs(); err != nil {
		return nil, err
	}
	if err := c.loadContainers(opts.Modules); err != nil {
		return nil, err
	}
	if err := c.loadStorage(); err != nil {
		return nil, err
	}
	c.setStorageDependentDefaults()
	return c, nil
}

// Registries gives the settings of registries.conf, read at the first call.
func (c *Config) Registries() (*Registries, error) {
	c.registriesOnce.Do(func() {
		c.registries, c.registriesErr = c.loadRegistries()
	})
	return c.registries, c.registriesErr
}

// SetEnvironment sets the variables that engine.env gives this process.
func (c *Config) SetEnvironment() error {
	for _, kv := range c.Engine.Env {
		name, value, _ := strings.Cut(kv, "=")
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set environment variable %q of containers.conf: %w", name, err)
		}
	}
	return nil
}

// setDirs works out the user's directories as the XDG base directory
// specification says.
func (c *Config) setDirs() error {
	if c.Home == "" {
		c.Home = c.env("HOME")
	}
	if c.Home == "" {
		if u, err := user.LookupId(strconv.Itoa(c.UID)); err == nil {
			c.Home = u.HomeDir
		}
	}
	c.ConfigHome = c.env("XDG_CONFIG_HOME")
	if c.ConfigHome == "" {
		c.ConfigHome = filepath.Join(c.Home, ".config")
	}
	c.DataHome = c.env("XDG_DATA_HOME")
	if c.DataHome == "" {
		c.DataHome = filepath.Join(c.Home, ".local/share")
	}
	var err error
	c.RuntimeDir, err = c.runtimeDir()
	return err
}

// system is the place of a system-wide file.
func (c *Config) system(path string) string {
	if c.prefix == "" {
		return path
	}
	return filepath.Join(c.prefix, path)
}

// CertDirs are the directories whose HOST[:PORT] subdirectories hold TLS
// certificates for registries, the first found wins (containers-certs.d(5)).
func (c *Config) CertDirs() []string {
	dirs := []string{c.system("/etc/containers/certs.d"), c.system("/etc/docker/certs.d")}
	return append([]string{filepath.Join(c.ConfigHome, "containers/certs.d")}, dirs...)
}

// PolicyPaths are the places of policy.json in the order of their precedence.
func (c *Config) PolicyPaths() []string {
	return []string{
		filepath.Join(c.ConfigHome, "containers/policy.json"),
		c.system("/etc/containers/policy.json"),
		c.system("/usr/share/containers/policy.json"),
	}
}

// RegistriesDirs are the registries.d directories in the order of their
// precedence (containers-registries.d(5)).
func (c *Config) RegistriesDirs() []string {
	return []string{filepath.Join(c.ConfigHome, "containers/registries.d"), c.system("/etc/containers/registries.d")}
}

// SignatureDir is where signatures are kept that registries.d says nothing of.
func (c *Config) SignatureDir() string {
	if !c.Rootless {
		return c.system("/var/lib/containers/sigstore")
	}
	return filepath.Join(c.DataHome, "containers/sigstore")
}

// Getenv looks a variable up in the environment the configuration was loaded
// with.
func (c *Config) Getenv(name string) string { return c.env(name) }

// CacheDir is where tools keep what they can find out again.
func (c *Config) CacheDir() string {
	if !c.Rootless {
		return c.system("/var/lib/containers/cache")
	}
	return filepath.Join(c.DataHome, "containers/cache")
}
