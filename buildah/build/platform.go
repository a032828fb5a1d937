package build

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/manifestlist"
	ociruntime "github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

// knownArchs are the architectures that may stand alone in a platform.
var knownArchs = []string{"386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x", "wasm"}

// ParsePlatform reads OS[/ARCH[/VARIANT]], or an architecture alone. What isn't
// named is the host's; names that other tools use for an architecture become its
// usual one.
func ParsePlatform(text string) (v1.Platform, error) {
	invalid := func(why string) (v1.Platform, error) {
		return v1.Platform{}, errdef.Newf(errdef.ErrInvalid, "building system context: invalid platform syntax for --platform=%q: %q: %s: invalid argument", text, text, why)
	}
	parts := strings.Split(strings.ToLower(text), "/")
	if len(parts) > 3 || slices.Contains(parts, "") {
		return invalid("cannot parse platform specifier")
	}
	p := v1.Platform{OS: parts[0], Architecture: runtime.GOARCH}
	switch {
	case len(parts) > 1:
		p.Architecture = parts[1]
	case slices.Contains(knownArchs, imgcopy.UsualArch(parts[0])):
		p.OS, p.Architecture = "linux", parts[0]
	case !slices.Contains([]string{"linux", "windows", "darwin", "freebsd", "wasi", "wasip1"}, parts[0]):
		return invalid("unknown operating system or architecture")
	}
	if len(parts) > 2 {
		p.Variant = parts[2]
	}
	return UsualPlatform(p), nil
}

// UsualPlatform has the platform's architecture by its usual name, and says
// which of the arm ones is meant.
func UsualPlatform(p v1.Platform) v1.Platform {
	p.Architecture = imgcopy.UsualArch(p.Architecture)
	if p.Architecture == "arm" && p.Variant == "" {
		p.Variant = "v7"
	}
	return p
}

func platformText(p v1.Platform) string {
	text := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		text += "/" + p.Variant
	}
	return text
}

// target is the platform that the request builds for.
func (r *Request) target() v1.Platform { return imgcopy.Platform(r.Platform) }

// platform is the stage's: that of its FROM, or what is built for.
func (s *stage) platform() (v1.Platform, error) {
	if s.planned.Platform == "" {
		return s.b.req.target(), nil
	}
	return ParsePlatform(s.planned.Platform)
}

// wanted is the platform that the stage's base image has to be for; empty where
// nobody asked for one, so that an image of the store is good as it is.
func (s *stage) wanted() (v1.Platform, error) {
	if s.planned.Platform == "" {
		return s.b.req.Platform, nil
	}
	return ParsePlatform(s.planned.Platform)
}

func specPlatform(p v1.Platform) spec.Platform {
	return spec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
}

// platformArgs are the arguments that every build knows.
func (r *Request) platformArgs() map[string]string {
	args := map[string]string{"TARGETSTAGE": cmp.Or(r.Target, "default")}
	for side, p := range map[string]v1.Platform{"TARGET": r.target(), "BUILD": imgcopy.Platform(v1.Platform{})} {
		args[side+"PLATFORM"], args[side+"OS"] = platformText(p), p.OS
		args[side+"ARCH"], args[side+"VARIANT"] = p.Architecture, p.Variant
	}
	return args
}

// All makes an image for each of the platforms, side by side as far as the
// request's jobs allow, and gives their IDs; for no platform at all, the one
// that the request is for. Where list is given, the images are added to the
// list of that name, which is made if it is missing. The request's names go to
// the last image.
func All(ctx context.Context, st *store.Store, cfg *config.Config, rt ociruntime.Runtime, req Request, platforms []v1.Platform, list string) ([]string, error) {
	if len(platforms) == 0 {
		platforms = []v1.Platform{req.Platform}
	}
	if list != "" {
		if err := CheckList(st, list); err != nil {
			return nil, err
		}
	}
	req.several = len(platforms) > 1
	if req.Jobs > 0 {
		req.slots = make(chan struct{}, req.Jobs)
	}
	if req.LogFile == "" {
		req.out = newOutput(&req)
		defer req.out.close()
	}
	ids := make([]string, len(platforms))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, p := range platforms {
		one := req
		one.Platform = p
		if i < len(platforms)-1 {
			one.Tags = nil
		}
		group.Go(func() (err error) {
			if one.LogFile != "" {
				log, err := OpenLog(one.LogFile + "_" + strings.ReplaceAll(platformText(one.target()), "/", "_"))
				if err != nil {
					return err
				}
				defer log.Close()
				one.Stdout, one.Stderr = log, log
			}
			ids[i], err = Build(groupCtx, st, cfg, rt, one)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if list != "" {
		return ids, AddToList(ctx, st, cfg, list, ids...)
	}
	return ids, nil
}

// OpenLog opens a file that a build's messages are added to.
func OpenLog(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening logfile: %w", err)
	}
	return f, nil
}

// AddToList adds images of the store to the list of that name, which is made if
// it is missing.
func AddToList(ctx context.Context, st *store.Store, cfg *config.Config, list string, ids ...string) error {
	lists := manifestlist.Lists{Store: st, Config: cfg}
	_, err := lists.Create(ctx, manifestlist.CreateRequest{Name: list, Images: ids, Amend: true})
	if err != nil {
		return fmt.Errorf("adding to list %q: %w", list, err)
	}
	return nil
}

// CheckList refuses the name of a list that an image has.
func CheckList(st *store.Store, list string) error {
	names, err := TagNames([]string{list})
	if err != nil {
		return err
	}
	if image, err := st.Image(names[0]); err == nil && !image.List {
		return errdef.Newf(errdef.ErrConflict, "image name %q is already associated with image %q, which is no list of images", names[0], image.ID)
	}
	return nil
}

// platform is what the image runs on, as text.
func (d *imageDoc) platform() string {
	return platformText(v1.Platform{OS: d.OS, Architecture: d.Architecture, Variant: d.Variant})
}
