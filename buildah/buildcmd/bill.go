package buildcmd

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/buildah/sbom"
	"github.com/podsuite/podsuite/shared/errdef"
)

// BillFlags are the options about bills of materials.
type BillFlags struct {
	preset string
	bill   build.Bill
}

// Bind declares them.
func (b *BillFlags) Bind(f *pflag.FlagSet) {
	f.StringVar(&b.preset, "sbom", "", "make a bill of materials with `preset`: builtin-cyclonedx (also: builtin), builtin-spdx, or a scanner's image: syft[-cyclonedx], syft-spdx, trivy[-cyclonedx], trivy-spdx")
	f.StringVar(&b.bill.ImageFile, "sbom-image-output", "", "add scan results to image as `path`")
	f.StringVar(&b.bill.ImagePURLFile, "sbom-image-purl-output", "", "add scan results to image as `path`")
	f.StringVar(&b.bill.Merge, "sbom-merge-strategy", "", "merge scan results using `strategy`")
	f.StringVar(&b.bill.File, "sbom-output", "", "save scan results to `file`")
	f.StringVar(&b.bill.PURLFile, "sbom-purl-output", "", "save scan results to `file`")
	f.StringArrayVar(&b.bill.Commands, "sbom-scanner-command", nil, "scan working container using `command` in scanner image")
	f.StringVar(&b.bill.Image, "sbom-scanner-image", "", "scan working container using scanner command from `image`")
}

// scanner is a program that is known to make bills.
type scanner struct{ image, command, cycloneDX, spdx string }

// Value is the bill that was asked for, nil for none.
func (b *BillFlags) Value() (*build.Bill, error) {
	o := b.bill
	if b.preset == "false" { // as docker's users write that they want none
		b.preset = ""
	}
	if b.preset+o.File+o.PURLFile+o.ImageFile+o.ImagePURLFile+o.Image+o.Merge == "" && len(o.Commands) == 0 {
		return nil, nil
	}
	if err := b.usePreset(&o); err != nil {
		return nil, err
	}
	switch {
	case o.File+o.PURLFile+o.ImageFile+o.ImagePURLFile == "":
		return nil, errdef.Newf(errdef.ErrInvalid, `sbom configuration missing one or more of ("--sbom-output", "--sbom-image-output", "--sbom-purl-output" or "--sbom-image-purl-output")`)
	case o.Builtin != "" && (o.Image+o.Merge != "" || len(o.Commands) > 0):
		return nil, errdef.Newf(errdef.ErrInvalid, "--sbom=%s takes no scanner image, no command and no merge strategy", b.preset)
	case o.Builtin == "" && (o.Image == "" || len(o.Commands) == 0):
		return nil, errdef.Newf(errdef.ErrInvalid, `sbom configuration missing one or more of ("--sbom-scanner-image" or "--sbom-scanner-command")`)
	}
	if o.Merge == "" {
		o.Merge = sbom.MergeCat
	}
	return &o, sbom.CheckMerge(o.Merge)
}

// usePreset fills in what the preset means and no option says. Without any
// scanner the builder makes the bill itself.
func (b *BillFlags) usePreset(o *build.Bill) error {
	name, format := b.preset, build.BillCycloneDX
	if name == "" && o.Image == "" && len(o.Commands) == 0 {
		name = "builtin"
	}
	if before, ok := strings.CutSuffix(name, "-cyclonedx"); ok {
		name = before
	} else if before, ok := strings.CutSuffix(name, "-spdx"); ok {
		name, format = before, build.BillSPDX
	}
	var s scanner
	switch name {
	case "":
		return nil
	case "builtin":
		o.Builtin = format
		return nil
	case "syft":
		s = scanner{"ghcr.io/anchore/syft", "/syft scan -q dir:PLACE --output FORMAT={OUTPUT}", "cyclonedx-json", "spdx-json"}
	case "trivy":
		s = scanner{"ghcr.io/aquasecurity/trivy", "trivy filesystem -q PLACE --format FORMAT --output {OUTPUT}", "cyclonedx", "spdx-json"}
	default:
		return errdef.Newf(errdef.ErrInvalid, "parsing --sbom flag: unrecognized preset name %q", b.preset)
	}
	word, merge := s.cycloneDX, sbom.MergeCycloneDX
	if format == build.BillSPDX {
		word, merge = s.spdx, sbom.MergeSPDX
	}
	if o.Image == "" {
		o.Image = s.image
	}
	if o.Merge == "" {
		o.Merge = merge
	}
	if len(o.Commands) == 0 {
		for _, place := range []string{"{ROOTFS}", "{CONTEXT}"} {
			o.Commands = append(o.Commands, strings.NewReplacer("PLACE", place, "FORMAT", word).Replace(s.command))
		}
	}
	return nil
}
