package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// Registries is registries.conf and its drop-ins, format 2
// (containers-registries.conf(5)).
type Registries struct {
	Path              string            // the main file; messages name it
	UnqualifiedSearch []string          // registries to try for a name without one
	SearchPath        string            // the file that UnqualifiedSearch is from
	CredentialHelpers []string          // "containers-auth.json" is the auth files
	ShortNameMode     string            // ShortNameEnforcing, ShortNamePermissive or ShortNameDisabled
	Aliases           map[string]string // short name to full name
	AliasPaths        map[string]string // short name to the file that its alias is from
	Registries        []Registry

	// AdditionalLayerStoreAuthHelper is known and has no effect: nothing here
	// reads layers from an additional layer store.
	AdditionalLayerStoreAuthHelper string
}

// What is done about a short name that several registries could have.
const (
	ShortNameEnforcing  = "enforcing"  // ask; without a terminal it is an error
	ShortNamePermissive = "permissive" // ask; without a terminal try all
	ShortNameDisabled   = "disabled"   // try all
)

// Registry is a [[registry]] table.
type Registry struct {
	Prefix             string   `toml:"prefix"`
	Location           string   `toml:"location"`
	Insecure           bool     `toml:"insecure"`
	Blocked            bool     `toml:"blocked"`
	Mirrors            []Mirror `toml:"mirror"`
	MirrorByDigestOnly bool     `toml:"mirror-by-digest-only"`
	PullFromMirror     string   `toml:"pull-from-mirror"` // belongs to a mirror; here it is a mistake
	Path               string   // the file that the table is from
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
	AuthHelper        string            `toml:"additional-layer-store-auth-helper"`
}

// loadRegistries reads the main file and the drop-ins, the user's own after
// the system's, and at last the recorded aliases. A [[registry]] of a later
// file replaces the one of the same prefix.
func (c *Config) loadRegistries() (*Registries, error) {
	files, err := c.registriesFiles()
	if err != nil {
		return nil, err
	}
	r := &Registries{Path: files[0], SearchPath: files[0], ShortNameMode: ShortNamePermissive,
		Aliases: map[string]string{}, AliasPaths: map[string]string{}}
	for _, path := range files {
		if err := r.merge(path); err != nil {
			return nil, err
		}
	}
	if err := r.mergeRecorded(c.recordedAliases()); err != nil {
		return nil, err
	}
	if len(r.CredentialHelpers) == 0 {
		r.CredentialHelpers = []string{"containers-auth.json"}
	}
	return r, nil
}

// registriesFiles lists the main file and the drop-ins. The variable stands
// for the main file only.
func (c *Config) registriesFiles() ([]string, error) {
	own := filepath.Join(c.ConfigHome, "containers")
	etc := c.system("/etc/containers")
	main := c.env("CONTAINERS_REGISTRIES_CONF")
	switch {
	case main != "" && !exists(main):
		return nil, errdef.Newf(errdef.ErrNotFound, "read the file of CONTAINERS_REGISTRIES_CONF: open %s: no such file or directory", main)
	case main != "":
	case exists(filepath.Join(own, "registries.conf")):
		main = filepath.Join(own, "registries.conf")
	case exists(filepath.Join(etc, "registries.conf")) || !exists(c.system("/usr/share/containers/registries.conf")):
		main = filepath.Join(etc, "registries.conf")
	default:
		main = c.system("/usr/share/containers/registries.conf")
	}
	if c.places.registriesDir != "" {
		return withDropIns([]string{main}, []string{c.places.registriesDir})
	}
	return withDropIns([]string{main}, []string{filepath.Join(etc, "registries.conf.d"), filepath.Join(own, "registries.conf.d")})
}

func (r *Registries) merge(path string) error {
	raw, err := readTOML(path)
	if err != nil {
		return err
	}
	if _, ok := raw["registries"]; ok {
		return errdef.Newf(errdef.ErrUnsupported, "parse configuration %q: the table [registries] is of format 1, which is not read; write unqualified-search-registries for [registries.search], "+
			"and [[registry]] with location and insecure or blocked for the others", path)
	}
	var f registriesFile
	l := newLayers()
	if err := l.apply(path, raw, &f); err != nil {
		return err
	}
	wrong := func(err error) error {
		return errdef.Newf(errdef.ErrInvalid, "parse configuration %q: %w", path, err)
	}
	if f.UnqualifiedSearch != nil {
		for _, host := range f.UnqualifiedSearch {
			if !ref.ValidDomain(host) {
				return wrong(fmt.Errorf("unqualified-search-registries: %q is not HOST[:PORT]", host))
			}
		}
		r.UnqualifiedSearch, r.SearchPath = f.UnqualifiedSearch, path
	}
	if f.AuthHelper != "" {
		r.AdditionalLayerStoreAuthHelper = f.AuthHelper
	}
	if f.CredentialHelpers != nil {
		r.CredentialHelpers = f.CredentialHelpers
	}
	switch f.ShortNameMode {
	case "":
	case ShortNameEnforcing, ShortNamePermissive, ShortNameDisabled:
		r.ShortNameMode = f.ShortNameMode
	default:
		return wrong(fmt.Errorf("short-name-mode %q is not enforcing, permissive or disabled", f.ShortNameMode))
	}
	if err := r.mergeAliases(path, f.Aliases); err != nil {
		return wrong(err)
	}
	here := map[string]Registry{}
	for _, reg := range f.Registry {
		if err := reg.complete(); err != nil {
			return wrong(err)
		}
		if old, twice := here[reg.Prefix]; twice && (old.Insecure != reg.Insecure || old.Blocked != reg.Blocked) {
			return wrong(fmt.Errorf("[[registry]] %q is there twice, with different values of insecure or blocked", reg.Prefix))
		}
		reg.Path = path
		here[reg.Prefix] = reg
		r.add(reg)
	}
	return nil
}

// complete checks the table and fills in what it leaves out.
func (reg *Registry) complete() error {
	reg.Prefix, reg.Location = strings.TrimSuffix(reg.Prefix, "/"), strings.TrimSuffix(reg.Location, "/")
	if reg.Prefix == "" {
		reg.Prefix = reg.Location
	}
	host, wild := strings.CutPrefix(reg.Prefix, "*.")
	wrong := func(text string) error { return fmt.Errorf("[[registry]] %q: %s", reg.Prefix, text) }
	switch {
	case reg.Prefix == "":
		return errors.New("a [[registry]] has neither a prefix nor a location")
	case strings.Contains(reg.Prefix, "://") || strings.Contains(reg.Location, "://"):
		return wrong("write HOST[:PORT][/PATH] without a scheme")
	case strings.Contains(host, "*") || wild && strings.ContainsAny(host, "/:@"):
		return wrong("a prefix with a wildcard is *.HOST and nothing more")
	case strings.Contains(reg.Location, "*"):
		return wrong("a location can't have a wildcard")
	case reg.PullFromMirror != "":
		return wrong("pull-from-mirror belongs to a [[registry.mirror]]")
	case reg.Location == "" && !wild:
		reg.Location = reg.Prefix
	}
	for i := range reg.Mirrors {
		if err := reg.Mirrors[i].complete(reg.MirrorByDigestOnly); err != nil {
			return wrong(err.Error())
		}
	}
	return nil
}

func (m *Mirror) complete(byDigestOnly bool) error {
	m.Location = strings.TrimSuffix(m.Location, "/")
	switch m.PullFromMirror {
	case "", "all", "digest-only", "tag-only":
	default:
		return fmt.Errorf("pull-from-mirror %q is not all, digest-only or tag-only", m.PullFromMirror)
	}
	switch {
	case byDigestOnly && m.PullFromMirror != "":
		return errors.New("pull-from-mirror cannot be set with mirror-by-digest-only")
	case m.Location == "":
		return errors.New("a mirror has no location")
	case strings.Contains(m.Location, "://"):
		return fmt.Errorf("mirror %q: write HOST[:PORT][/PATH] without a scheme", m.Location)
	}
	return nil
}

// add puts the table in the place of one with the same prefix, or at the end.
func (r *Registries) add(reg Registry) {
	for i := range r.Registries {
		if r.Registries[i].Prefix == reg.Prefix {
			r.Registries[i] = reg
			return
		}
	}
	r.Registries = append(r.Registries, reg)
}
