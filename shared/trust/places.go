package trust

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/opencontainers/go-digest"
	"go.yaml.in/yaml/v3"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// Places says where the signatures of images in registries are kept
// (containers-registries.d(5)).
type Places struct {
	def      *section
	scopes   map[string]section
	fallback string // a directory, where nothing is configured
}

// section is what is configured for one scope.
type section struct {
	Lookaside        string `yaml:"lookaside"`
	LookasideStaging string `yaml:"lookaside-staging"`
	// The former names of these two.
	Sigstore        string `yaml:"sigstore"`
	SigstoreStaging string `yaml:"sigstore-staging"`
	Attachments     *bool  `yaml:"use-sigstore-attachments"`
}

type placesFile struct {
	Default *section           `yaml:"default-docker"`
	Docker  map[string]section `yaml:"docker"`
}

// maxPlacesSize bounds one file of registries.d, in bytes.
const maxPlacesSize = 4 << 20

// LoadPlaces reads the files of a registries.d directory, or of the configured
// one if dir is empty.
func LoadPlaces(cfg *config.Config, dir string) (*Places, error) {
	if dir == "" {
		dir = PlacesDir(cfg)
	}
	p := &Places{scopes: map[string]section{}, fallback: cfg.SignatureDir()}
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the places of signatures: %w", err)
	}
	where := map[string]string{}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".yaml") {
			continue
		}
		if err := p.add(filepath.Join(dir, e.Name()), where); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// PlacesDir is the registries.d directory in force: the user's, or else the
// system's.
func PlacesDir(cfg *config.Config) string {
	dirs := cfg.RegistriesDirs()
	for _, d := range dirs {
		if _, err := os.Stat(d); err == nil {
			return d
		}
	}
	return dirs[len(dirs)-1]
}

// add reads one file; where knows which file has what.
func (p *Places) add(path string, where map[string]string) error {
	data, err := readFile(path, maxPlacesSize)
	if err != nil {
		return err
	}
	var f placesFile
	if err := yaml.Unmarshal(data, &f); err != nil {
		return errdef.Newf(errdef.ErrInvalid, "parsing %q: %w", path, err)
	}
	twice := func(what string) error {
		if other := where[what]; other != "" {
			return errdef.Newf(errdef.ErrInvalid, "parsing signature storage configuration: %q defined both in %q and %q", what, other, path)
		}
		where[what] = path
		return nil
	}
	if f.Default != nil {
		if err := twice("default-docker"); err != nil {
			return err
		}
		p.def = f.Default
	}
	for scope, s := range f.Docker {
		if err := twice(scope); err != nil {
			return err
		}
		p.scopes[scope] = s
	}
	return nil
}

// find gives the section for the name; ok is false where nothing is configured.
func (p *Places) find(n ref.Name) (section, bool) {
	for _, s := range nameScopes(n) {
		if found, ok := p.scopes[s]; ok {
			return found, true
		}
	}
	if p.def != nil {
		return *p.def, true
	}
	return section{}, false
}

// Attachments tells whether sigstore signatures lie beside the image in its
// registry.
func (p *Places) Attachments(n ref.Name) bool {
	s, ok := p.find(n)
	return ok && s.Attachments != nil && *s.Attachments
}

// Lookaside is where the signatures of images of the name lie, for writing or
// for reading.
func (p *Places) Lookaside(n ref.Name, write bool) (*Lookaside, error) {
	s, _ := p.find(n)
	base := ""
	candidates := []string{s.Lookaside, s.Sigstore}
	if write {
		candidates = []string{s.LookasideStaging, s.SigstoreStaging, s.Lookaside, s.Sigstore}
	}
	for _, c := range candidates {
		if base = c; base != "" {
			break
		}
	}
	if base == "" {
		return DirLookaside(p.fallback, n), nil
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid signature storage URL %s: %w", base, err)
	}
	return &Lookaside{base: u, name: n}, nil
}

// Show gives the URL under which signatures of the scope are read, "" if only
// the default covers it.
func (p *Places) Show(scope string) string {
	for ; scope != ""; scope = parentScope(scope) {
		s, ok := p.scopes[scope]
		if ok && s.Lookaside != "" {
			return s.Lookaside
		}
		if ok {
			return s.Sigstore
		}
	}
	return ""
}

// Default is where signatures are read of what no section covers.
func (p *Places) Default() string {
	if p.def == nil {
		return ""
	}
	if p.def.Lookaside != "" {
		return p.def.Lookaside
	}
	return p.def.Sigstore
}

// signaturePath is where signature number n, from 1, of a manifest lies below
// a lookaside.
func signaturePath(name ref.Name, d digest.Digest, n int) string {
	return fmt.Sprintf("%s@%s=%s/signature-%d", name.Path, d.Algorithm(), d.Encoded(), n)
}
