package cliflag

import (
	"fmt"
	"os"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
)

// DigestFile names a file that gets the digest of what was written.
type DigestFile struct{ path string }

// Bind declares the option.
func (d *DigestFile) Bind(f *pflag.FlagSet) {
	f.StringVar(&d.path, "digestfile", "", "Write the digest of the pushed image to the specified file")
}

// Write writes the digest, if there is a file for it.
func (d *DigestFile) Write(dg digest.Digest) error {
	if d.path == "" {
		return nil
	}
	if err := os.WriteFile(d.path, []byte(dg.String()), 0o644); err != nil {
		return fmt.Errorf("write digest to file %q: %w", d.path, err)
	}
	return nil
}

// Format is the type of the manifest that a copy writes.
type Format struct{ name string }

// Bind declares the option.
func (m *Format) Bind(f *pflag.FlagSet) {
	f.StringVarP(&m.name, "format", "f", "", "Manifest type (oci, v2s1, or v2s2) to use in the destination (default is manifest type of source, with fallbacks)")
}

// Value is the format, "" for the source's.
func (m *Format) Value() (string, error) {
	switch m.name {
	case "", imgcopy.FormatOCI, imgcopy.FormatV2S2:
		return m.name, nil
	case "docker":
		return imgcopy.FormatV2S2, nil
	case "v2s1":
		return "", errdef.Newf(errdef.ErrUnsupported, "the format v2s1 is not supported for writing: registries have taken v2s2 since 2016")
	}
	return "", errdef.Newf(errdef.ErrInvalid, "unknown format %q. Choose one of the supported formats: 'oci', 'v2s1', or 'v2s2'", m.name)
}

// Compression says how layers are compressed.
type Compression struct {
	Format string // "": the default
	Level  int    // 0: the compressor's own choice
	Force  bool   // compress anew what has another format

	given func() bool // whether Format was named without a word about Force
}

// Bind declares the options of podman and buildah.
func (c *Compression) Bind(f *pflag.FlagSet) {
	f.StringVar(&c.Format, "compression-format", "", "compression format to use (gzip, zstd)")
	f.IntVar(&c.Level, "compression-level", 0, "compression level to use")
	f.BoolVar(&c.Force, "force-compression", false, "Use the specified compression algorithm even if the destination contains a differently-compressed variant already")
	// Who names a format means it.
	c.given = func() bool { return f.Changed("compression-format") && !f.Changed("force-compression") }
}

// BindDest declares the options of skopeo.
func (c *Compression) BindDest(f *pflag.FlagSet) {
	f.StringVar(&c.Format, "dest-compress-format", "", "`FORMAT` to use for the compression (gzip, zstd)")
	f.IntVar(&c.Level, "dest-compress-level", 0, "`LEVEL` to use for the compression")
	f.BoolVar(&c.Force, "dest-force-compress-format", false, "Force exclusive use of the compression algorithm set in --dest-compress-format")
}

// Check tells whether layers can be compressed so, and settles Force.
func (c *Compression) Check() error {
	if c.given != nil && c.given() {
		c.Force = true
	}
	return imgcopy.CheckCompression(c.Format, c.Level)
}
