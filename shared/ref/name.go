package ref

import (
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/podsuite/podsuite/shared/errdef"
)

// Limits of the grammar, in bytes.
const (
	maxNameLen = 255
	maxTagLen  = 128
)

// DefaultDomain is the registry that a name without one means to Docker.
const DefaultDomain = "docker.io"

// Name is an image name. An empty Domain makes it a short name.
type Name struct {
	Domain string // host[:port]
	Path   string // repository within the registry
	Tag    string
	Digest digest.Digest
}

// Parse reads a name as it stands: no registry, library/ or tag is added.
func Parse(s string) (Name, error) {
	n, err := parse(s)
	if err != nil {
		return Name{}, errdef.As(errdef.ErrInvalid, err)
	}
	return n, nil
}

// ParseNormalized reads a name the way Docker does: without a registry it is
// docker.io's, and docker.io/x is docker.io/library/x. No tag is added.
func ParseNormalized(s string) (Name, error) {
	n, err := Parse(s)
	if err != nil {
		return Name{}, err
	}
	return n.Normalized(), nil
}

func parse(s string) (Name, error) {
	invalid := errdef.Newf(errdef.ErrInvalid, "invalid reference format")
	var n Name
	rest := s
	if i := strings.IndexByte(rest, '@'); i >= 0 {
		d, err := digest.Parse(rest[i+1:])
		if err != nil {
			return n, invalid
		}
		n.Digest, rest = d, rest[:i]
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.Contains(rest[i:], "/") && i > 0 {
		if !ValidTag(rest[i+1:]) {
			return n, invalid
		}
		n.Tag, rest = rest[i+1:], rest[:i]
	}
	n.Domain, n.Path = splitDomain(rest)
	if n.Domain != "" && !validDomain(n.Domain) {
		return n, invalid
	}
	if !validPath(n.Path) {
		if validPath(strings.ToLower(n.Path)) {
			return n, errdef.Newf(errdef.ErrInvalid, "invalid reference format: repository name must be lowercase")
		}
		return n, invalid
	}
	if len(rest) > maxNameLen {
		return n, errdef.Newf(errdef.ErrInvalid, "repository name must not be more than %d characters", maxNameLen)
	}
	if n.Domain == "" && isHex64(n.Path) && n.Tag == "" && n.Digest == "" {
		return n, errdef.Newf(errdef.ErrInvalid, "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", s)
	}
	return n, nil
}

// splitDomain takes the first component as a registry if it looks like a
// host: it has a dot, a port or an upper-case letter, or is "localhost".
func splitDomain(s string) (domain, path string) {
	i := strings.IndexByte(s, '/')
	if i < 0 {
		return "", s
	}
	if first := s[:i]; strings.ContainsAny(first, ".:") || first == "localhost" || strings.ToLower(first) != first {
		return first, s[i+1:]
	}
	return "", s
}

// IsShort tells whether the name lacks a registry.
func (n Name) IsShort() bool { return n.Domain == "" }

// IsZero tells whether there is no name.
func (n Name) IsZero() bool { return n.Path == "" }

// Normalized completes a name with docker.io and library/ as Docker does.
func (n Name) Normalized() Name {
	if n.Domain == "" || n.Domain == "index.docker.io" {
		n.Domain = DefaultDomain
	}
	if n.Domain == DefaultDomain && !strings.Contains(n.Path, "/") {
		n.Path = "library/" + n.Path
	}
	return n
}

// Tagged adds the tag latest to a name that has neither a tag nor a digest.
func (n Name) Tagged() Name {
	if n.Tag == "" && n.Digest == "" {
		n.Tag = "latest"
	}
	return n
}

// Repository is the name without tag and digest.
func (n Name) Repository() Name { return Name{Domain: n.Domain, Path: n.Path} }

// WithTag is the repository with a tag and no digest.
func (n Name) WithTag(tag string) Name { return Name{Domain: n.Domain, Path: n.Path, Tag: tag} }

// WithDigest is the repository with a digest and no tag.
func (n Name) WithDigest(d digest.Digest) Name {
	return Name{Domain: n.Domain, Path: n.Path, Digest: d}
}

// String writes the name in full.
func (n Name) String() string {
	s := n.Path
	if n.Domain != "" {
		s = n.Domain + "/" + s
	}
	return s + n.suffix()
}

func (n Name) suffix() string {
	s := ""
	if n.Tag != "" {
		s = ":" + n.Tag
	}
	if n.Digest != "" {
		s += "@" + n.Digest.String()
	}
	return s
}

// Familiar writes the name without what Docker adds by itself.
func (n Name) Familiar() string {
	if n.Domain == DefaultDomain {
		return strings.TrimPrefix(n.Path, "library/") + n.suffix()
	}
	return n.String()
}

// Identifier is what a registry knows the image by: the digest if there is
// one, else the tag, else "latest".
func (n Name) Identifier() string {
	if n.Digest != "" {
		return n.Digest.String()
	}
	return n.Tagged().Tag
}

// ValidTag tells whether s can be a tag.
func ValidTag(s string) bool {
	if s == "" || len(s) > maxTagLen || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isWord(c) && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func isWord(c byte) bool { return isAlnum(c) || c >= 'A' && c <= 'Z' }

// validPath checks components of lower-case letters and digits, joined inside
// by one dot, one or two underscores, or any number of dashes.
func validPath(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if !validComponent(part) {
			return false
		}
	}
	return true
}

func validComponent(s string) bool {
	if s == "" || !isAlnum(s[0]) || !isAlnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		if isAlnum(s[i]) {
			i++
			continue
		}
		j := i
		for j < len(s) && s[j] == s[i] {
			j++
		}
		switch run := j - i; {
		case s[i] == '-', s[i] == '.' && run == 1, s[i] == '_' && run <= 2:
		default:
			return false
		}
		if !isAlnum(s[j]) {
			return false
		}
		i = j
	}
	return true
}

// ValidDomain tells whether s can be the host[:port] of a registry.
func ValidDomain(s string) bool { return validDomain(s) }

func validDomain(s string) bool {
	host := s
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 2 || strings.Trim(strings.ToLower(s[1:end]), "0123456789abcdef:") != "" {
			return false
		}
		host = s[end+1:]
		return host == "" || host[0] == ':' && validPort(host[1:])
	}
	if i := strings.IndexByte(s, ':'); i >= 0 {
		if !validPort(s[i+1:]) {
			return false
		}
		host = s[:i]
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if !isWord(label[i]) && label[i] != '-' {
				return false
			}
		}
	}
	return true
}

func validPort(s string) bool {
	return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == ""
}

func isHex64(s string) bool { return len(s) == 64 && IsHex(s) }

// IsHex tells whether s is a non-empty lower-case hexadecimal string, as IDs
// and their prefixes are.
func IsHex(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdef") == "" }

// Matches tells whether the name, whole or without registry, tag or digest,
// matches the pattern of path.Match.
func Matches(name, pattern string) bool {
	n, err := Parse(name)
	if err != nil {
		return false
	}
	short := n
	short.Domain = ""
	for _, form := range []string{n.String(), n.Repository().String(), short.String(), short.Repository().String(), n.Familiar(), n.Repository().Familiar(), path.Base(n.Path)} {
		if ok, err := path.Match(pattern, form); ok && err == nil {
			return true
		}
	}
	return false
}
