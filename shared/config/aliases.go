package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"golang.org/x/sys/unix"
)

// recordedAliases is the file in which answers to the question whose image a
// short name means are kept. It overrides the aliases of registries.conf.
func (c *Config) recordedAliases() string {
	if c.places.aliasFile != "" {
		return c.places.aliasFile
	}
	if !c.Rootless {
		return c.system("/var/cache/containers/short-name-aliases.conf")
	}
	cache := c.env("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(c.Home, ".cache")
	}
	return filepath.Join(cache, "containers/short-name-aliases.conf")
}

func (r *Registries) mergeRecorded(path string) error {
	aliases, err := readAliases(path)
	if err != nil {
		return err
	}
	if err := r.mergeAliases(path, aliases); err != nil {
		return errdef.Newf(errdef.ErrInvalid, "parse configuration %q: %w", path, err)
	}
	return nil
}

func readAliases(path string) (map[string]string, error) {
	raw, err := readTOML(path)
	if err != nil {
		return nil, err
	}
	var f struct {
		Aliases map[string]string `toml:"aliases"`
	}
	if err := newLayers().apply(path, raw, &f); err != nil {
		return nil, err
	}
	return f.Aliases, nil
}

// mergeAliases adds aliases; an empty value takes one away.
func (r *Registries) mergeAliases(path string, aliases map[string]string) error {
	for name, value := range aliases {
		if err := checkAlias(name, value); err != nil {
			return err
		}
		if value == "" {
			delete(r.Aliases, name)
			delete(r.AliasPaths, name)
			continue
		}
		r.Aliases[name], r.AliasPaths[name] = value, path
	}
	return nil
}

// checkAlias wants a short name and a full one, both without tag and digest.
func checkAlias(name, value string) error {
	n, err := ref.Parse(name)
	if err != nil || !n.IsShort() || n != n.Repository() {
		return fmt.Errorf("alias %q: it must be a name without registry, tag and digest", name)
	}
	if value == "" {
		return nil
	}
	full, err := ref.Parse(value)
	if err != nil || full.IsShort() || full != full.Repository() {
		return fmt.Errorf("alias %q: its value %q must be a name with a registry and without tag and digest", name, value)
	}
	return nil
}

// RecordAlias remembers that the short name means the image of the full one;
// tags and digests of both are left aside.
func (c *Config) RecordAlias(short, full ref.Name) error {
	path := c.recordedAliases()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("record alias: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("record alias: %w", err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("record alias: lock %q: %w", dir.Name(), err)
	}
	aliases, err := readAliases(path)
	if err != nil {
		return err
	}
	if aliases == nil {
		aliases = map[string]string{}
	}
	aliases[short.Repository().String()] = full.Repository().String()
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(map[string]any{"aliases": aliases}); err != nil {
		return fmt.Errorf("record alias: %w", err)
	}
	if err := atomicfile.Write(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("record alias: %w", err)
	}
	return nil
}
