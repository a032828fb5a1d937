package ref

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The transports of containers-transports(5) that ParseTransport reads.
const (
	Docker            = "docker"
	OCI               = "oci"
	Dir               = "dir"
	OCIArchive        = "oci-archive"
	DockerArchive     = "docker-archive"
	ContainersStorage = "containers-storage"
	DockerDaemon      = "docker-daemon"
	Tarball           = "tarball"
)

// Location is a transport:details reference: where an image lies.
type Location struct {
	Transport string
	Name      Name   // docker, docker-daemon; the name within a docker-archive
	Path      string // oci, dir and the archives; tarball: files, with colons between
	Image     string // oci: the image's name in the layout; containers-storage: name or ID as given; docker-daemon: ID
	Index     int    // @N in an oci or archive reference; -1 without
	Store     StoreSpec
	// UnknownDigest asks a push to address the image by its digest alone.
	UnknownDigest bool
}

// StoreSpec is the [driver@root+runroot:options] part of a containers-storage
// reference. Empty fields mean the configured store's.
type StoreSpec struct {
	Driver, GraphRoot, RunRoot string
	Options                    []string
}

// IsZero tells whether nothing is specified.
func (s StoreSpec) IsZero() bool {
	return s.Driver == "" && s.GraphRoot == "" && s.RunRoot == "" && s.Options == nil
}

// Transports lists the transports that references can name, sorted.
func Transports() []string {
	return []string{ContainersStorage, Dir, Docker, DockerArchive, DockerDaemon, OCI, OCIArchive, Tarball}
}

// HasTransport tells whether s starts with the name of a known transport.
func HasTransport(s string) bool {
	t, rest, ok := strings.Cut(s, ":")
	if !ok {
		return false
	}
	switch t {
	case Docker:
		return strings.HasPrefix(rest, "//") // else it is the image docker with a tag
	case OCI, Dir, OCIArchive, DockerArchive, ContainersStorage, DockerDaemon, Tarball:
		return true
	}
	return false
}

// ParseTransport reads a transport:details reference.
func ParseTransport(s string) (Location, error) {
	l, err := parseTransport(s)
	return l, errdef.As(errdef.ErrInvalid, err)
}

func parseTransport(s string) (Location, error) {
	transport, rest, ok := strings.Cut(s, ":")
	l := Location{Transport: transport, Index: -1}
	if !ok {
		return l, errdef.Newf(errdef.ErrInvalid, "Invalid image name %q, expected colon-separated transport:reference", s)
	}
	switch transport {
	case Docker:
		return l.docker(rest)
	case Dir:
		if rest == "" {
			return l, errdef.Newf(errdef.ErrInvalid, "dir: a path is missing after the colon")
		}
		l.Path = rest
		return l, nil
	case OCI, OCIArchive:
		return l.oci(rest)
	case DockerArchive:
		return l.dockerArchive(rest)
	case ContainersStorage:
		return l.storage(rest)
	case DockerDaemon:
		return l.daemon(rest)
	case Tarball:
		if rest == "" {
			return l, errdef.Newf(errdef.ErrInvalid, "tarball: a path is missing after the colon")
		}
		l.Path = rest
		return l, nil
	case "sif", "atomic", "ostree":
		return l, errdef.Newf(errdef.ErrUnsupported, "Invalid image name %q, transport %q is not supported (supported: %s)", s, transport, strings.Join(Transports(), ", "))
	}
	return l, errdef.Newf(errdef.ErrInvalid, "Invalid image name %q, unknown transport %q", s, transport)
}

func (l Location) docker(rest string) (Location, error) {
	name, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return l, errdef.Newf(errdef.ErrInvalid, "docker: image reference %s does not start with //", rest)
	}
	name, l.UnknownDigest = strings.CutSuffix(name, "@@unknown-digest@@")
	n, err := ParseNormalized(name)
	if err != nil {
		return l, err
	}
	if l.UnknownDigest && (n.Tag != "" || n.Digest != "") {
		return l, errdef.Newf(errdef.ErrInvalid, "docker: image reference %q has an unknown digest set but it contains either a tag or digest", rest)
	}
	if n.Tag != "" && n.Digest != "" {
		return l, errdef.Newf(errdef.ErrInvalid, "Docker references with both a tag and digest are currently not supported")
	}
	if !l.UnknownDigest {
		n = n.Tagged()
	}
	l.Name = n
	return l, nil
}

func (l Location) oci(rest string) (Location, error) {
	var ok bool
	l.Path, l.Image, ok = strings.Cut(rest, ":")
	if l.Path == "" {
		return l, errdef.Newf(errdef.ErrInvalid, "%s: a path is missing after the colon", l.Transport)
	}
	if !ok {
		return l, nil
	}
	if idx, isIndex := strings.CutPrefix(l.Image, "@"); isIndex {
		n, err := index(idx)
		l.Index, l.Image = n, ""
		return l, err
	}
	if l.Image != "" && !validOCIName(l.Image) {
		return l, errdef.Newf(errdef.ErrInvalid, "Invalid image %s", l.Image)
	}
	return l, nil
}

func index(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return -1, errdef.Newf(errdef.ErrInvalid, "invalid source index @%s: want a number from 0 up", s)
	}
	return n, nil
}

// validOCIName checks the characters of org.opencontainers.image.ref.name.
func validOCIName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isWord(c) && !strings.ContainsRune("-._:@/+", rune(c)) {
			return false
		}
	}
	return isWord(s[0])
}

func (l Location) dockerArchive(rest string) (Location, error) {
	var name string
	l.Path, name, _ = strings.Cut(rest, ":")
	if l.Path == "" {
		return l, errdef.Newf(errdef.ErrInvalid, "docker-archive: a path is missing after the colon")
	}
	if name == "" {
		return l, nil
	}
	if idx, ok := strings.CutPrefix(name, "@"); ok {
		n, err := index(idx)
		l.Index = n
		return l, err
	}
	n, err := ParseNormalized(name)
	if err != nil {
		return l, errdef.Newf(errdef.ErrInvalid, "docker-archive parsing reference: %w", err)
	}
	if n.Digest != "" {
		return l, errdef.Newf(errdef.ErrInvalid, "docker-archive doesn't support digest references: %q", rest)
	}
	l.Name = n.Tagged()
	return l, nil
}

// daemon reads NAME:TAG, NAME@DIGEST or the ID of an image.
func (l Location) daemon(rest string) (Location, error) {
	if id, ok := strings.CutPrefix(rest, "sha256:"); ok {
		if !isHex64(id) {
			return l, errdef.Newf(errdef.ErrInvalid, "Invalid docker-daemon: reference %s: The sha256 repository name is reserved for (non-shortened) digest references", rest)
		}
		l.Image = rest
		return l, nil
	}
	n, err := ParseNormalized(rest)
	if err != nil {
		return l, err
	}
	if n.Tag == "" && n.Digest == "" {
		return l, errdef.Newf(errdef.ErrInvalid, "docker-daemon: reference %s has neither a tag nor a digest", n.Familiar())
	}
	l.Name = n
	return l, nil
}

func (l Location) storage(rest string) (Location, error) {
	if strings.HasPrefix(rest, "[") {
		spec, name, ok := strings.Cut(rest[1:], "]")
		if !ok {
			return l, errdef.Newf(errdef.ErrInvalid, "containers-storage: the store specifier of %q has no closing bracket", rest)
		}
		var err error
		if l.Store, err = storeSpec(spec); err != nil {
			return l, err
		}
		rest = name
	}
	if rest == "" {
		return l, errdef.Newf(errdef.ErrInvalid, "containers-storage: an image name or ID is missing")
	}
	l.Image = rest
	if IsHex(rest) && len(rest) == 64 || strings.HasPrefix(rest, "@") {
		return l, nil
	}
	name := rest
	if i := strings.LastIndexByte(rest, '@'); i > 0 && isHex64(rest[i+1:]) {
		name = rest[:i]
	}
	n, err := ParseNormalized(name)
	if err != nil {
		return l, err
	}
	l.Name = n.Tagged()
	return l, nil
}

func storeSpec(s string) (StoreSpec, error) {
	var spec StoreSpec
	if i := strings.IndexByte(s, '@'); i >= 0 {
		spec.Driver, s = s[:i], s[i+1:]
	}
	roots, options, _ := strings.Cut(s, ":")
	spec.GraphRoot, spec.RunRoot, _ = strings.Cut(roots, "+")
	if options != "" {
		spec.Options = strings.Split(options, ",")
	}
	if !filepath.IsAbs(spec.GraphRoot) || spec.RunRoot != "" && !filepath.IsAbs(spec.RunRoot) {
		return spec, errdef.Newf(errdef.ErrInvalid, "containers-storage: the store specifier %q needs an absolute path", s)
	}
	return spec, nil
}

// String writes the reference; names come out normalized.
func (l Location) String() string {
	switch l.Transport {
	case Docker:
		s := "docker://" + l.Name.Familiar()
		if l.UnknownDigest {
			s += "@@unknown-digest@@"
		}
		return s
	case Dir, Tarball:
		return l.Transport + ":" + l.Path
	case DockerDaemon:
		if l.Image != "" {
			return l.Transport + ":" + l.Image
		}
		return l.Transport + ":" + l.Name.Familiar()
	case ContainersStorage:
		name := l.Image
		if !l.Name.IsZero() {
			name = l.Name.String()
		}
		return l.Transport + ":" + l.Store.String() + name
	}
	s := l.Transport + ":" + l.Path
	switch {
	case l.Index >= 0:
		s += ":@" + strconv.Itoa(l.Index)
	case l.Image != "":
		s += ":" + l.Image
	case !l.Name.IsZero():
		s += ":" + l.Name.String()
	}
	return s
}

// String writes the specifier with its brackets; an empty one is "".
func (s StoreSpec) String() string {
	if s.IsZero() {
		return ""
	}
	out := s.GraphRoot
	if s.Driver != "" {
		out = s.Driver + "@" + out
	}
	if s.RunRoot != "" {
		out += "+" + s.RunRoot
	}
	if len(s.Options) > 0 {
		out += ":" + strings.Join(s.Options, ",")
	}
	return "[" + out + "]"
}
