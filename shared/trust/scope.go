package trust

import (
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/ref"
)

// requirements finds the list for the most specific scope.
func (p *Policy) requirements(l ref.Location) []requirement {
	scopes := p.transports[l.Transport]
	for _, s := range scopesOf(l) {
		if r, ok := scopes[s]; ok {
			return r
		}
	}
	if r, ok := scopes[""]; ok {
		return r
	}
	return p.def
}

// scopesOf lists the scopes that cover l, the narrowest first.
func scopesOf(l ref.Location) []string {
	switch l.Transport {
	case ref.Docker, ref.DockerDaemon:
		if l.Name.IsZero() {
			return nil
		}
		return append(nameScopes(l.Name), wildcards(l.Name.Domain)...)
	case ref.ContainersStorage:
		return storageScopes(l)
	case ref.Dir, ref.OCI, ref.OCIArchive:
		return pathScopes(l)
	}
	return nil
}

// nameScopes are a name, its repository, the namespaces above it and its
// registry.
func nameScopes(n ref.Name) []string {
	var out []string
	if full := n.String(); n.Tag != "" || n.Digest != "" {
		out = append(out, full)
	}
	for s := n.Repository().String(); ; {
		out = append(out, s)
		i := strings.LastIndexByte(s, '/')
		if i < 0 {
			return out
		}
		s = s[:i]
	}
}

// wildcards are the patterns for the host's parent domains, without a port.
func wildcards(host string) []string {
	var out []string
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	for {
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			return out
		}
		out = append(out, "*."+rest)
		host = rest
	}
}

func pathScopes(l ref.Location) []string {
	path, err := filepath.Abs(l.Path)
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	var out []string
	if l.Transport != ref.Dir {
		out = append(out, path+":"+l.Image)
	}
	for path != "/" {
		out = append(out, path)
		path = filepath.Dir(path)
	}
	return out
}

// storageScopes are those of an image in a store whose place the caller has
// filled in.
func storageScopes(l ref.Location) []string {
	if l.Store.GraphRoot == "" {
		return nil
	}
	where := "[" + l.Store.Driver + "@" + l.Store.GraphRoot + "]"
	var out []string
	if ref.IsHex(l.Image) {
		out = append(out, where+"@"+l.Image)
	}
	if !l.Name.IsZero() {
		for _, s := range nameScopes(l.Name) {
			out = append(out, where+s)
		}
	}
	return append(out, where, "["+l.Store.GraphRoot+"]")
}

// validScope tells whether a policy may name the scope. Those of registries
// are free: what matches nothing does no harm.
func validScope(transport, scope string) bool {
	switch transport {
	case ref.Dir, ref.OCI, ref.OCIArchive, "sif":
		path := scope
		if transport == ref.OCI || transport == ref.OCIArchive {
			path, _, _ = strings.Cut(scope, ":")
		}
		return path != "/" && filepath.IsAbs(path) && filepath.Clean(path) == path
	case ref.DockerArchive, "tarball":
		return false
	case ref.ContainersStorage:
		return strings.HasPrefix(scope, "[") && strings.Contains(scope, "]")
	}
	return true
}
