package config

import (
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Registries is registries.conf and its drop-ins, format 2
// (containers-registries.conf(5)).
type Registries struct {
	UnqualifiedSearch []string          // registries to try for a name without one
	CredentialHelpers []string          // "containers-auth.json" is the auth files
	ShortNameMode     string            // enforcing, permissive or disabled
	Aliases           map[string]string // short name to full name
	Registries        []Registry
}

// Registry is a [[registry]] table.
type Registry struct {
	Prefix             string   `toml:"prefix"`
	Location           string   `toml:"location"`
	Insecure           bool     `toml:"insecure"`
	Blocked            bool     `toml:"blocked"`
	Mirrors            []Mirror `toml:"mirror"`
	MirrorByDigestOnly bool     `toml:"mirror-by-digest-only"`
}

// Mirror is a [[registry.mirror]] table.
type Mirror struct {
	Location       string `toml:"location"`
	Insecure       bool   `toml:"insecure"`
	PullFromMirror string `toml:"pull-from-mirror"` // all (or empty), digest-only, tag-only
}

type registriesFile struct {
	UnqualifiedSearch []string          `toml:"unqualified-search-registries"`
	CredentialHelpers []string          `toml:"credential-helpers"`
	ShortNameMode     string            `toml:"short-name-mode"`
	Aliases           map[string]string `toml:"aliases"`
	Registry          []Registry        `toml:"registry"`
}

// loadRegistries reads the main file and the drop-ins, the user's own after
// the system's. A [[registry]] of a later file replaces the one of the same
// prefix.
func (c *Config) loadRegistries() (*Registries, error) {
	files, err := c.registriesFiles()
	if err != nil {
		return nil, err
	}
	r := &Registries{Aliases: map[string]string{}, ShortNameMode: "permissive"}
	for _, path := range files {
		if err := r.merge(path); err != nil {
			return nil, err
		}
	}
	if err := r.mergeAliasCache(c.shortNameCache()); err != nil {
		return nil, err
	}
	if len(r.CredentialHelpers) == 0 {
		r.CredentialHelpers = []string{"containers-auth.json"}
	}
	return r, nil
}

func (c *Config) registriesFiles() ([]string, error) {
	own := filepath.Join(c.ConfigHome, "containers")
	etc := c.system("/etc/containers")
	if f := c.env("CONTAINERS_REGISTRIES_CONF"); f != "" {
		if !exists(f) {
			return nil, errdef.Newf(errdef.ErrNotFound, "read the file of CONTAINERS_REGISTRIES_CONF: open %s: no such file or directory", f)
		}
		return []string{f}, nil
	}
	main := filepath.Join(own, "registries.conf")
	if !exists(main) {
		main = firstExisting(filepath.Join(etc, "registries.conf"), c.system("/usr/share/containers/registries.conf"))
	}
	return withDropIns([]string{main}, []string{filepath.Join(etc, "registries.conf.d"), filepath.Join(own, "registries.conf.d")})
}

// shortNameCache is where tools record the answers to short-name questions.
func (c *Config) shortNameCache() string {
	if !c.Rootless {
		return c.system("/var/cache/containers/short-name-aliases.conf")
	}
	cache := c.env("XDG_CACHE_HOME")
	if cache == "" {
		cache = filepath.Join(c.Home, ".cache")
	}
	return filepath.Join(cache, "containers/short-name-aliases.conf")
}

func (r *Registries) merge(path string) error {
	raw, err := readTOML(path)
	if err != nil {
		return err
	}
	if old, ok := raw["registries"]; ok {
		return errdef.Newf(errdef.ErrUnsupported, "parse configuration %q: the version 1 table [registries] (%v) is no longer read; write unqualified-search-registries and [[registry]] instead", path, old)
	}
	var f registriesFile
	l := newLayers()
	if err := l.apply(path, raw, &f); err != nil {
		return err
	}
	if f.UnqualifiedSearch != nil {
		r.UnqualifiedSearch = f.UnqualifiedSearch
	}
	if f.CredentialHelpers != nil {
		r.CredentialHelpers = f.CredentialHelpers
	}
	switch f.ShortNameMode {
	case "":
	case "enforcing", "permissive", "disabled":
		r.ShortNameMode = f.ShortNameMode
	default:
		return errdef.Newf(errdef.ErrInvalid, "parse configuration %q: short-name-mode %q is not enforcing, permissive or disabled", path, f.ShortNameMode)
	}
	r.mergeAliases(f.Aliases)
	for _, reg := range f.Registry {
		if err := r.add(reg); err != nil {
			return errdef.Newf(errdef.ErrInvalid, "parse configuration %q: %w", path, err)
		}
	}
	return nil
}

func (r *Registries) mergeAliasCache(path string) error {
	raw, err := readTOML(path)
	if err != nil {
		return err
	}
	var f registriesFile
	l := newLayers()
	if err := l.apply(path, raw, &f); err != nil {
		return err
	}
	r.mergeAliases(f.Aliases)
	return nil
}

// mergeAliases adds aliases; an empty value takes one away.
func (r *Registries) mergeAliases(aliases map[string]string) {
	for name, value := range aliases {
		if value == "" {
			delete(r.Aliases, name)
		} else {
			r.Aliases[name] = value
		}
	}
}

func (r *Registries) add(reg Registry) error {
	reg.Prefix, reg.Location = strings.TrimSuffix(reg.Prefix, "/"), strings.TrimSuffix(reg.Location, "/")
	if reg.Prefix == "" {
		reg.Prefix = reg.Location
	}
	switch {
	case reg.Prefix == "":
		return errdef.Newf(errdef.ErrInvalid, "a [[registry]] has neither a prefix nor a location")
	case strings.Contains(reg.Prefix, "://") || strings.Contains(reg.Location, "://"):
		return errdef.Newf(errdef.ErrInvalid, "[[registry]] %q: write HOST[:PORT][/PATH] without a scheme", reg.Prefix)
	case strings.Contains(strings.TrimPrefix(reg.Prefix, "*."), "*"):
		return errdef.Newf(errdef.ErrInvalid, "[[registry]] %q: a wildcard may only be *.HOST", reg.Prefix)
	case reg.Location == "" && !strings.HasPrefix(reg.Prefix, "*."):
		reg.Location = reg.Prefix
	}
	for i := range reg.Mirrors {
		m := &reg.Mirrors[i]
		m.Location = strings.TrimSuffix(m.Location, "/")
		switch m.PullFromMirror {
		case "", "all", "digest-only", "tag-only":
		default:
			return errdef.Newf(errdef.ErrInvalid, "[[registry]] %q: pull-from-mirror %q is not all, digest-only or tag-only", reg.Prefix, m.PullFromMirror)
		}
		if reg.MirrorByDigestOnly && m.PullFromMirror != "" {
			return errdef.Newf(errdef.ErrInvalid, "[[registry]] %q: pull-from-mirror cannot be set with mirror-by-digest-only", reg.Prefix)
		}
		if m.Location == "" {
			return errdef.Newf(errdef.ErrInvalid, "[[registry]] %q: a mirror has no location", reg.Prefix)
		}
	}
	for i := range r.Registries {
		if r.Registries[i].Prefix == reg.Prefix {
			r.Registries[i] = reg
			return nil
		}
	}
	r.Registries = append(r.Registries, reg)
	return nil
}

// Find gives the [[registry]] with the longest prefix that matches name, a
// full image name such as docker.io/library/busybox:latest.
func (r *Registries) Find(name string) (Registry, bool) {
	var best Registry
	found := false
	for _, reg := range r.Registries {
		if _, ok := cutPrefix(name, reg.Prefix); ok && len(reg.Prefix) >= len(best.Prefix) {
			best, found = reg, true
		}
	}
	return best, found
}

// cutPrefix gives what follows prefix in name, if prefix ends at a boundary.
func cutPrefix(name, prefix string) (string, bool) {
	if wild, ok := strings.CutPrefix(prefix, "*"); ok {
		host, _, _ := strings.Cut(name, "/")
		return name, strings.HasSuffix(hostOnly(host, wild), wild)
	}
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return "", false
	}
	return rest, rest == "" || strings.ContainsRune("/:@", rune(rest[0]))
}

// hostOnly drops the port of host unless the pattern names one.
func hostOnly(host, pattern string) string {
	if strings.Contains(pattern, ":") {
		return host
	}
	h, _, _ := strings.Cut(host, ":")
	return h
}

// Endpoint is a place where an image can be had: a full name whose registry
// part says whom to ask.
type Endpoint struct {
	Name     string // with the tag or digest of the name asked for
	Insecure bool   // plain HTTP and unverified TLS are allowed
	Mirror   bool
}

// Endpoints lists where to look for name, a full image name, mirrors first.
// A blocked registry is an ErrDenied error.
func (r *Registries) Endpoints(name string) ([]Endpoint, error) {
	reg, ok := r.Find(name)
	if !ok {
		return []Endpoint{{Name: name}}, nil
	}
	if reg.Blocked {
		return nil, errdef.Newf(errdef.ErrDenied, "registry %s is blocked in registries.conf", reg.Prefix)
	}
	byDigest := strings.Contains(name, "@")
	var out []Endpoint
	for _, m := range reg.Mirrors {
		if (m.PullFromMirror == "digest-only" || reg.MirrorByDigestOnly) && !byDigest || m.PullFromMirror == "tag-only" && byDigest {
			continue
		}
		out = append(out, Endpoint{Name: rewrite(name, reg.Prefix, m.Location), Insecure: m.Insecure, Mirror: true})
	}
	return append(out, Endpoint{Name: rewrite(name, reg.Prefix, reg.Location), Insecure: reg.Insecure}), nil
}

// rewrite puts location in the place of prefix.
func rewrite(name, prefix, location string) string {
	if location == "" {
		return name
	}
	if strings.HasPrefix(prefix, "*") {
		_, path, _ := strings.Cut(name, "/")
		return location + "/" + path
	}
	rest, ok := cutPrefix(name, prefix)
	if !ok {
		return name
	}
	return location + rest
}
