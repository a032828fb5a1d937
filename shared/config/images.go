package config

import (
	"os"
	"path/filepath"
	"strings"
)

// ManifestFormat is the format that images are pushed in unless another is
// asked for: oci or v2s2; "" is that of the image.
func (e *Engine) ManifestFormat() string {
	if f := strings.ToLower(e.ImageDefaultFormat); f != "docker" {
		return f
	}
	return "v2s2"
}

// BuildFormat is the format that images are made in unless another is asked
// for: oci or docker.
func (e *Engine) BuildFormat() string {
	switch f := e.ManifestFormat(); f {
	case "":
		return "oci"
	case "v2s2":
		return "docker"
	default:
		return f
	}
}

// InTransport puts the default transport before a name that has none; known
// tells whether a text names a transport.
func (e *Engine) InTransport(name string, known func(string) bool) string {
	if name == "" || known(name) || e.ImageDefaultTransport == "" || e.ImageDefaultTransport == "docker://" {
		return name
	}
	return strings.TrimSuffix(e.ImageDefaultTransport, ":") + ":" + name
}

// Helper finds a helper program in the directories that have such, "" where
// none does.
func (e *Engine) Helper(name string) string {
	for _, dir := range e.HelperBinariesDir {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// RuntimeFor is the OCI runtime of containers of a platform, OS/ARCH[/VARIANT].
func (e *Engine) RuntimeFor(platform string) string {
	for platform != "" {
		if name := e.PlatformToOCIRuntime[platform]; name != "" {
			return name
		}
		i := strings.LastIndexByte(platform, '/')
		if i < 0 {
			break
		}
		platform = platform[:i]
	}
	return e.Runtime
}
