package cliflag

import (
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
)

// Platform chooses among the images of a list.
type Platform struct{ platform, os, arch, variant string }

// Bind declares the options.
func (p *Platform) Bind(f *pflag.FlagSet) {
	f.StringVar(&p.arch, "arch", "", "Use `ARCH` instead of the architecture of the machine for choosing images")
	f.StringVar(&p.os, "os", "", "Use `OS` instead of the running OS for choosing images")
	f.StringVar(&p.platform, "platform", "", "Specify the platform for selecting the image.  (Conflicts with arch and os)")
	f.StringVar(&p.variant, "variant", "", "Use VARIANT instead of the running architecture variant for choosing images")
}

// Value is the platform that was asked for; what nobody named is empty.
func (p *Platform) Value() (v1.Platform, error) {
	if p.platform == "" {
		return v1.Platform{OS: p.os, Architecture: imgcopy.UsualArch(p.arch), Variant: p.variant}, nil
	}
	if p.os != "" || p.arch != "" {
		return v1.Platform{}, errdef.Newf(errdef.ErrInvalid, "--platform option can not be specified with --arch or --os")
	}
	parsed, err := ParsePlatform(p.platform)
	if parsed.Variant == "" {
		parsed.Variant = p.variant
	}
	return parsed, err
}

// ParsePlatform reads OS[/ARCH[/VARIANT]].
func ParsePlatform(s string) (v1.Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) > 3 || parts[0] == "" {
		return v1.Platform{}, errdef.Newf(errdef.ErrInvalid, "invalid platform %q: want OS/ARCH[/VARIANT]", s)
	}
	parts = append(parts, "", "")
	return v1.Platform{OS: parts[0], Architecture: imgcopy.UsualArch(parts[1]), Variant: parts[2]}, nil
}
