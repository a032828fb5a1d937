package config

import (
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

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
		host, _, _ = strings.Cut(host, ":")
		return name, strings.HasSuffix(host, wild)
	}
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return "", false
	}
	return rest, rest == "" || strings.ContainsRune("/:@", rune(rest[0]))
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
		return nil, errdef.Newf(errdef.ErrDenied, "registry %s is blocked in %s", reg.Prefix, reg.Path)
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
