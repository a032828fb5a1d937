package build

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/buildah/sbom"
	"github.com/podsuite/podsuite/shared/errdef"
)

// Kinds of bills that are made without a scanner's image.
const (
	BillCycloneDX = "cyclonedx"
	BillSPDX      = "spdx"
)

// Bill says which bill of materials an image gets.
type Bill struct {
	Builtin  string   // BillCycloneDX or BillSPDX: made by the builder itself
	Image    string   // otherwise by programs of this image
	Commands []string // with {ROOTFS}, {CONTEXT} and {OUTPUT} in them
	Merge    string   // how their bills become one
	// Where the bill and the list of its package URLs go: files of the host and
	// of the image. At least one is set.
	File, PURLFile, ImageFile, ImagePURLFile string
}

// maxBill is the size of the largest bill, in bytes.
const maxBill = 256 << 20

// Where a scanner finds what it scans and leaves its bill.
const (
	scannedRoot = "/.rootfs"
	scansDir    = "/.scans"
)

// inImage tells whether something of the bill becomes part of the image.
func (b *Bill) inImage() bool { return b != nil && b.ImageFile+b.ImagePURLFile != "" }

// bill makes the bill of materials of what is in the working container, and
// has the commit to come put its files into the image.
func (s *stage) bill(ctx context.Context) error {
	o := s.b.req.Bill
	dir, err := s.b.fetchDir()
	if err != nil {
		return err
	}
	var bill []byte
	if o.Builtin != "" {
		bill, err = s.ownBill(ctx, o.Builtin)
	} else {
		bill, err = s.scannersBill(ctx, o, dir)
	}
	if err != nil {
		return fmt.Errorf("scanning rootfs to generate SBOM: %w", err)
	}
	urls, err := sbom.PURLs(bill)
	if err != nil && o.PURLFile+o.ImagePURLFile != "" {
		return fmt.Errorf("scanning rootfs to generate SBOM: %w", err)
	}
	for i, out := range []struct {
		data         []byte
		host, inside string
	}{{bill, o.File, o.ImageFile}, {urls, o.PURLFile, o.ImagePURLFile}} {
		if out.host != "" {
			if err := os.WriteFile(out.host, out.data, 0o644); err != nil {
				return fmt.Errorf("write bill of materials: %w", err)
			}
		}
		if out.inside == "" {
			continue
		}
		file := filepath.Join(dir, fmt.Sprint("bill-", i))
		if err := os.WriteFile(file, out.data, 0o644); err != nil {
			return err
		}
		s.b.req.AddFiles = append(slices.Clip(s.b.req.AddFiles), file+":"+out.inside)
	}
	return nil
}

func (s *stage) ownBill(ctx context.Context, kind string) ([]byte, error) {
	inv, err := sbom.Scan(ctx, s.root, s.b.out.warn)
	if err != nil {
		return nil, err
	}
	about := sbom.About{Name: "image", Tool: "buildah", Version: s.b.req.Version, Time: s.b.req.now()}
	if len(s.b.req.Tags) > 0 {
		about.Name = s.b.req.Tags[0]
	}
	if kind == BillSPDX {
		return inv.SPDX(about)
	}
	return inv.CycloneDX(about)
}

// scannersBill runs the commands in a container of the scanner's image. Those
// about contexts are run for each of them.
func (s *stage) scannersBill(ctx context.Context, o *Bill, dir string) ([]byte, error) {
	image, name, err := s.b.image(ctx, o.Image, v1.Platform{})
	if err != nil {
		return nil, err
	}
	scanner := newStage(s.b, &dockerfile.PlannedStage{Stage: &dockerfile.Stage{}, Parent: -1, Image: o.Image}, false)
	if err := scanner.load(image, name); err != nil {
		return nil, err
	}
	if err := scanner.ensure(); err != nil {
		return nil, err
	}
	binds := []specs.Mount{bound(s.root, scannedRoot, "ro"), bound(dir, scansDir)}
	var contexts []string
	for i, context := range s.b.contextDirs(ctx) {
		contexts = append(contexts, fmt.Sprint("/.context", i))
		binds = append(binds, bound(context, contexts[i], "ro"))
	}
	var bills [][]byte
	for _, command := range o.Commands {
		places := contexts
		if !strings.Contains(command, "{CONTEXT}") {
			places = []string{""}
		}
		for _, place := range places {
			output := fmt.Sprint("scan-", len(bills))
			args, err := scannerArgs(command, strings.NewReplacer("{ROOTFS}", scannedRoot, "{CONTEXT}", place, "{OUTPUT}", scansDir+"/"+output))
			if err != nil {
				return nil, err
			}
			r := &runStep{s: scanner, inst: &dockerfile.Run{}, args: args, binds: binds, network: s.b.networkOf("")}
			if err := r.do(ctx); err != nil {
				return nil, fmt.Errorf("run %q: %w", command, err)
			}
			bill, err := readBill(dir, output)
			if err != nil {
				return nil, fmt.Errorf("run %q: %w", command, err)
			}
			bills = append(bills, bill)
		}
	}
	return sbom.Merge(o.Merge, bills)
}

func bound(source, target string, options ...string) specs.Mount {
	return specs.Mount{Destination: target, Type: "bind", Source: source, Options: append([]string{"rbind", "bind", "nosuid", "nodev", "rprivate"}, options...)}
}

// scannerArgs parts a command into words; quotes hold what belongs together.
func scannerArgs(command string, places *strings.Replacer) ([]string, error) {
	args, err := dockerfile.Expander{}.Words(command, dockerfile.Vars{})
	if err == nil && len(args) == 0 {
		err = errdef.Newf(errdef.ErrInvalid, "it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("scanner command %q: %w", command, err)
	}
	for i := range args {
		args[i] = places.Replace(args[i])
	}
	return args, nil
}

// readBill reads what a scanner wrote, which is not trusted to be a file.
func readBill(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Lstat(name)
	switch {
	case err != nil:
		return nil, errdef.As(errdef.ErrNotFound, fmt.Errorf("no bill was written: %w", err))
	case !info.Mode().IsRegular() || info.Size() > maxBill:
		return nil, errdef.Newf(errdef.ErrInvalid, "what was written is no file of at most %d bytes", maxBill)
	}
	return root.ReadFile(name)
}

// contextDirs are the build's contexts that are directories.
func (b *builder) contextDirs(ctx context.Context) []string {
	var dirs []string
	if b.req.Context != "" {
		dirs = append(dirs, b.req.Context)
	}
	for _, name := range slices.Sorted(maps.Keys(b.req.Contexts)) {
		if dir, _, _, err := b.namedContext(ctx, name); err == nil && dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
