package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/buildah/buildcmd"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
)

type commitFlags struct {
	work                              build.WorkRequest
	commit                            build.CommitRequest
	registry                          cliflag.Registry
	times                             buildcmd.TimeFlags
	refused                           cliflag.Refused
	bill                              buildcmd.BillFlags
	sign                              cliflag.Sign
	encryption                        cliflag.Encryption
	push                              imgcopy.PushOptions // to where the image goes
	annotations                       []string
	config, iidFile, pull, manifest   string
	identity, created, rm, compressed bool
}

func newCommit(a *app) *cobra.Command {
	o := &commitFlags{}
	cmd := &cobra.Command{
		Use:   "commit CONTAINER [IMAGE]",
		Short: "Create an image from a working container",
		Long: `Writes a new image using the container's read-write layer and, if it is based
on an image, the layers of that image.`,
		Example: "buildah commit containerID\nbuildah commit containerID newImageName\nbuildah commit containerID docker://localhost:5000/imageId",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errdef.Newf(errdef.ErrInvalid, "container ID must be specified")
			case len(args) > 2:
				return errdef.Newf(errdef.ErrInvalid, "too many arguments specified")
			}
			return runCommit(cmd, a, o, args[0], append(args, "")[1])
		},
	}
	f, r := cmd.Flags(), &o.work
	o.registry.Bind(f)
	o.times.Bind(f)
	buildcmd.BindRefused(f, &o.refused)
	o.bill.Bind(f)
	o.sign.BindGPG(f)
	o.encryption.Bind(f)
	f.StringArrayVar(&r.AddFiles, "add-file", nil, "add contents of a file to the image at a specified path (`source:destination`)")
	f.StringArrayVar(&o.annotations, "annotation", []string{}, "set metadata for an image")
	f.StringArrayVarP(&o.commit.Changes, "change", "c", nil, "apply containerfile `instruction`s to the committed image")
	f.StringVar(&o.config, "config", "", "apply configuration JSON `file` to the committed image")
	f.BoolVar(&o.created, "created-annotation", true, `set an "org.opencontainers.image.created" annotation in the image`)
	f.BoolVarP(&o.compressed, "disable-compression", "D", true, "don't compress layers")
	f.StringVar(&o.manifest, "manifest", "", "add the image to the specified manifest list")
	f.StringVarP(&r.Format, "format", "f", os.Getenv("BUILDAH_FORMAT"), "`format` of the image manifest and metadata")
	f.BoolVar(&o.identity, "identity-label", true, "add default builder label")
	f.StringVar(&o.iidFile, "iidfile", "", "write the image ID to the file")
	f.BoolVar(&r.NoHistory, "omit-history", false, "omit build history information from the built image")
	f.StringVar(&o.pull, "pull", "true", "pull SBOM scanner images from the registry if newer or not present in store")
	f.Lookup("pull").NoOptDefVal = "true"
	f.BoolVarP(&r.Quiet, "quiet", "q", false, "don't output progress information when writing images")
	f.BoolVar(&o.rm, "rm", false, "remove the container and its content after committing it to an image. Default leaves the container and its content in place.")
	f.BoolVar(&r.SquashAll, "squash", false, "produce an image with only one layer")
	f.StringSliceVar(&r.Unset.Annotations, "unsetannotation", nil, "unset annotation when inheriting annotations from base image")
	f.StringSliceVar(&r.Unset.Env, "unsetenv", nil, "unset env from final image")
	f.Lookup("format").DefValue = "oci"
	return cmd
}

func runCommit(cmd *cobra.Command, a *app, o *commitFlags, container, destination string) error {
	r := &o.work
	r.Annotations, r.NoIdentity, r.NoCreated = buildcmd.KeyValues(o.annotations), !o.identity, !o.created
	if err := errors.Join(o.times.Apply(&r.Request), o.refused.Check()); err != nil {
		return err
	}
	var err error
	if r.Registry, err = o.registry.AskingOptions(); err != nil {
		return err
	}
	r.Pull = buildcmd.PullPolicy(o.pull) // of the scanner's image: the base is there
	if r.Bill, err = o.bill.Value(); err != nil {
		return err
	}
	if o.config != "" {
		if o.commit.Config, err = os.ReadFile(o.config); err != nil {
			return err
		}
	}
	if o.push.Sign, err = o.sign.Value(); err != nil {
		return err
	}
	if o.push.Encrypt, err = o.encryption.Value(cmd.Context()); err != nil {
		return err
	}
	if destination, err = o.named(destination); err != nil {
		return err
	}
	return a.work(r, func() error {
		if o.manifest != "" {
			if err := build.CheckList(r.Store, o.manifest); err != nil {
				return err
			}
		}
		w, err := build.Open(*r, container)
		if err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		id, err := o.image(ctx, w, destination)
		if err == nil && o.rm {
			err = w.Remove()
		}
		if err = errors.Join(err, w.Close()); err != nil {
			return err
		}
		if o.iidFile != "" {
			return os.WriteFile(o.iidFile, []byte("sha256:"+id), 0o644)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
		return err
	})
}

// named gives the place where the image goes, if that is not the store itself.
// One that gets signed has its name only when it is.
func (o *commitFlags) named(destination string) (string, error) {
	changed := len(o.push.Sign.Signers) > 0 || o.push.Encrypt.To != nil
	switch {
	case destination == "" && changed:
		return "", errdef.Newf(errdef.ErrInvalid, "an image that is to be signed or encrypted needs a name")
	case destination == "" || ref.HasTransport(destination):
		return destination, nil
	}
	names, err := build.TagNames([]string{destination})
	if err != nil {
		return "", errdef.Newf(errdef.ErrInvalid, "cannot parse input: %q: %s", destination, build.NameError(destination))
	}
	if changed {
		return ref.Location{Transport: ref.ContainersStorage, Image: names[0], Index: -1}.String(), nil
	}
	o.commit.Names = names
	return "", nil
}

// image makes the image, takes it where it is to go, and gives its ID.
func (o *commitFlags) image(ctx context.Context, w *build.Workplace, destination string) (string, error) {
	r := &o.work
	if !ref.HasTransport(destination) {
		id, err := w.Commit(ctx, o.commit)
		if err == nil && o.manifest != "" {
			err = build.AddToList(ctx, r.Store, r.Config, o.manifest, id)
		}
		return id, err
	}
	stored := strings.HasPrefix(destination, ref.ContainersStorage+":")
	if o.manifest != "" && !stored {
		return "", errdef.Newf(errdef.ErrInvalid, "--manifest is for images of the store: %q is elsewhere", destination)
	}
	before, err := r.Store.Images()
	if err != nil {
		return "", err
	}
	id, err := w.Commit(ctx, o.commit)
	if err != nil {
		return "", err
	}
	err = o.pushCommitted(ctx, id, destination)
	if err == nil && o.manifest != "" {
		err = build.AddToList(ctx, r.Store, r.Config, o.manifest, id)
	}
	if slices.ContainsFunc(before, func(i store.Image) bool { return i.ID == id }) {
		return id, err
	}
	// The store was only its way to the destination, unless that is the store.
	if image, ierr := r.Store.Image(id); ierr == nil && len(image.Names) == 0 {
		_, ierr = r.Store.RemoveImage(id)
		err = errors.Join(err, ierr)
	}
	return id, err
}

// pushCommitted sends the image where it was to go.
func (o *commitFlags) pushCommitted(ctx context.Context, id, destination string) error {
	r, p := &o.work, o.push
	if p.Registry = r.Registry; !r.Quiet {
		p.Progress = cliout.NewProgress(os.Stderr, "auto")
	}
	_, err := imgcopy.Push(ctx, r.Store, r.Config, id, destination, p)
	return err
}
