package sbom

import (
	"net/url"
	"strings"
)

// Types of package URLs.
const (
	typeAPK    = "apk"
	typeDebian = "deb"
	typeGo     = "golang"
	typeRPM    = "rpm"
)

// PURL is the package's URL, as ECMA-427 has it.
func (p *Package) PURL() string {
	name, version, namespace, epoch := p.Name, p.Version, p.vendor, ""
	switch p.Type {
	case typeGo:
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			namespace, name = name[:i], name[i+1:]
		}
	case typeRPM:
		if before, rest, ok := strings.Cut(version, ":"); ok {
			epoch, version = before, rest
		}
	}
	if p.Type != typeRPM {
		name = strings.ToLower(name)
	}
	out := "pkg:" + p.Type
	for segment := range strings.SplitSeq(strings.ToLower(namespace), "/") {
		if segment != "" {
			out += "/" + escape(segment)
		}
	}
	out += "/" + escape(name)
	if version != "" {
		out += "@" + escape(version)
	}
	sep := "?"
	for _, q := range [][2]string{{"arch", p.Arch}, {"distro", p.distro}, {"epoch", epoch}, {"upstream", p.Source}} {
		if q[1] != "" {
			out += sep + q[0] + "=" + escape(q[1])
			sep = "&"
		}
	}
	return out
}

// escape leaves the letters, digits and -._~: as they are. That is what queries
// escape, but for the blank and the colon.
func escape(s string) string {
	return strings.NewReplacer("+", "%20", "%3A", ":").Replace(url.QueryEscape(s))
}
