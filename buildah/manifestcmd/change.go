package manifestcmd

import (
	"strings"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/manifestlist"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newCreate is `manifest create`.
func newCreate(h Host) *cobra.Command {
	var reg cliflag.Registry
	var req manifestlist.CreateRequest
	var annotations []string
	cmd := &cobra.Command{
		Use:   "create [options] LIST [IMAGE...]",
		Short: "Create manifest list or image index",
		Long:  "Creates manifest lists or image indexes.",
		Args:  cobra.MinimumNArgs(1),
		Example: "  " + h.Program + " manifest create mylist:v1.11\n  " + h.Program + " manifest create mylist:v1.11 arch-specific-image-to-add\n" +
			"  " + h.Program + " manifest create --all mylist:v1.11 transport:tagged-image-to-add",
	}
	f := cmd.Flags()
	f.BoolVar(&req.All, "all", false, "add all of the lists' images if the images to add are lists")
	amend := map[bool]string{true: "a"}[h.podman()]
	f.BoolVarP(&req.Amend, "amend", amend, false, "modify an existing list if one with the desired name already exists")
	f.StringArrayVar(&annotations, "annotation", nil, "set annotations on the new list")
	reg.BindTLS(f)
	cmd.RunE = h.with(func(cmd *cobra.Command, lists manifestlist.Lists, args []string) error {
		var err error
		if req.Annotations, err = manifestlist.ParseAnnotations(annotations); err != nil {
			return err
		}
		if req.Registry, err = reg.AskingOptions(); err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		req.Name, req.Images = args[0], args[1:]
		id, err := lists.Create(ctx, req)
		return h.print(cmd, id, nil, err)
	})
	return cmd
}

// notes are what a list says of an image.
type notes struct {
	manifestlist.Notes
	annotations []string
}

func (n *notes) bind(f *pflag.FlagSet) {
	f.StringArrayVar(&n.annotations, "annotation", nil, "set an `annotation` for the specified image or artifact")
	f.StringVar(&n.Arch, "arch", "", "override the `architecture` of the specified image or artifact")
	f.StringSliceVar(&n.Features, "features", nil, "override the `features` of the specified image or artifact")
	f.StringVar(&n.OS, "os", "", "override the `OS` of the specified image or artifact")
	f.StringVar(&n.OSVersion, "os-version", "", "override the OS `version` of the specified image or artifact")
	f.StringVar(&n.Variant, "variant", "", "override the `Variant` of the specified image or artifact")
}

func (n *notes) bindOSFeatures(f *pflag.FlagSet) {
	f.StringSliceVar(&n.OSFeatures, "os-features", nil, "override the OS `features` of the specified image or artifact")
}

func (n *notes) value() (manifestlist.Notes, error) {
	var err error
	n.Annotations, err = manifestlist.ParseAnnotations(n.annotations)
	return n.Notes, err
}

// newAdd is `manifest add`.
func newAdd(h Host) *cobra.Command {
	var reg cliflag.Registry
	var n notes
	var req manifestlist.AddRequest
	var artifact manifestlist.Artifact
	var artifactAnnotations []string
	var isArtifact bool
	cmd := &cobra.Command{
		Use:     "add [options] LIST IMAGEORARTIFACT [IMAGEORARTIFACT...]",
		Short:   "Add images or artifacts to a manifest list or image index",
		Long:    "Adds an image or artifact to a manifest list or image index.",
		Args:    cobra.MinimumNArgs(2),
		Example: "  " + h.Program + " manifest add mylist:v1.11 image:v1.11-amd64\n  " + h.Program + " manifest add mylist:v1.11 transport:imageName",
	}
	f := cmd.Flags()
	n.bind(f)
	reg.Bind(f)
	f.BoolVar(&req.All, "all", false, "add all of the list's images if the image is a list")
	if !h.podman() {
		n.bindOSFeatures(f)
		f.StringArrayVar(&artifactAnnotations, "artifact-annotation", nil, "artifact `annotation`")
	}
	f.BoolVar(&isArtifact, "artifact", false, "add all arguments as artifact files rather than as images")
	f.StringVar(&artifact.ConfigFile, "artifact-config", "", "path of the file to use as the artifact's configuration")
	f.StringVar(&artifact.ConfigType, "artifact-config-type", "", "artifact configuration media type")
	f.BoolVar(&artifact.ExcludeTitles, "artifact-exclude-titles", false, `refrain from setting "org.opencontainers.image.title" annotations on artifact files`)
	f.StringVar(&artifact.LayerType, "artifact-layer-type", "", "artifact layer media type")
	f.StringVar(&artifact.Subject, "artifact-subject", "", "artifact subject reference")
	f.StringVar(&artifact.Type, "artifact-type", "", "override the artifact type")
	cmd.RunE = h.with(func(cmd *cobra.Command, lists manifestlist.Lists, args []string) error {
		req.List, req.Images = args[0], args[1:]
		if isArtifact {
			artifact.Files, req.Artifact = args[1:], &artifact
		} else if err := needsArtifact(f); err != nil {
			return err
		}
		var err error
		if artifact.Annotations, err = manifestlist.ParseAnnotations(artifactAnnotations); err != nil {
			return err
		}
		if req.Notes, err = n.value(); err != nil {
			return err
		}
		if req.Registry, err = reg.AskingOptions(); err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		id, added, err := lists.Add(ctx, req)
		return h.print(cmd, id, added, err)
	})
	return cmd
}

// needsArtifact refuses options that say how an artifact is made.
func needsArtifact(f *pflag.FlagSet) error {
	var err error
	f.Visit(func(flag *pflag.Flag) {
		if strings.HasPrefix(flag.Name, "artifact-") && err == nil {
			err = errdef.Newf(errdef.ErrInvalid, "--%s requires --artifact", flag.Name)
		}
	})
	return err
}

// newAnnotate is `manifest annotate`.
func newAnnotate(h Host) *cobra.Command {
	var n notes
	var req manifestlist.AnnotateRequest
	var index bool
	cmd := &cobra.Command{
		Use:     "annotate [options] LIST IMAGEORARTIFACT",
		Short:   "Add or update information about an entry in a manifest list or image index",
		Long:    "Adds or updates information about an entry in a manifest list or image index.",
		Args:    cobra.RangeArgs(1, 2),
		Example: "  " + h.Program + " manifest annotate --annotation left=right mylist:v1.11 sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736",
	}
	f := cmd.Flags()
	n.bind(f)
	f.BoolVar(&index, "index", false, "apply --annotation values to the image index itself")
	n.bindOSFeatures(f)
	f.StringVar(&req.Subject, "subject", "", "set the `subject` to which the image index refers")
	cmd.RunE = h.with(func(cmd *cobra.Command, lists manifestlist.Lists, args []string) error {
		if err := checkAnnotate(f, args, index || req.Subject != ""); err != nil {
			return err
		}
		req.List, req.Image = args[0], append(args, "")[1]
		var err error
		if req.Notes, err = n.value(); err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		id, changed, err := lists.Annotate(ctx, req)
		return h.print(cmd, id, changed, err)
	})
	return cmd
}

// checkAnnotate refuses what can't be said of the list itself, or of one image.
func checkAnnotate(f *pflag.FlagSet, args []string, index bool) error {
	switch {
	case !index && len(args) < 2:
		return errdef.Newf(errdef.ErrInvalid, "expected an instance digest, image name, or artifact name")
	case index && len(args) > 1:
		return errdef.Newf(errdef.ErrInvalid, "did not expect image or artifact name %q when modifying the entire index", args[1])
	case !index:
		return nil
	}
	for _, name := range []string{"arch", "features", "os", "os-features", "os-version", "variant"} {
		if f.Changed(name) {
			return errdef.Newf(errdef.ErrInvalid, "--%s is said of an image of the list, not of the list: name the image, and leave --index and --subject out", name)
		}
	}
	return nil
}
