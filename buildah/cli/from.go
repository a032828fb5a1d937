package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/buildah/buildcmd"
	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

type fromFlags struct {
	req                   build.WorkRequest
	run                   buildcmd.RunFlags
	registry              cliflag.Registry
	retry                 cliflag.Retry
	platform              cliflag.Platform
	name, cidFile         string
	pullAlways, pullNever bool
	decryption            cliflag.Decryption
	quiet                 bool
}

func newFrom(a *app) *cobra.Command {
	o := &fromFlags{}
	cmd := &cobra.Command{
		Use:   "from IMAGE",
		Short: "Create a working container based on an image",
		Long: `Creates a new working container, either from scratch or using a specified
image as a starting point.`,
		Example: `buildah from --pull imagename
buildah from docker-daemon:imagename:imagetag
buildah from --name "myimagename" myregistry/myrepository/imagename:imagetag`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errdef.Newf(errdef.ErrInvalid, "an image name (or \"scratch\") must be specified")
			case len(args) > 1:
				return errdef.Newf(errdef.ErrInvalid, "too many arguments specified")
			}
			return runFrom(cmd, a, o, args[0])
		},
	}
	f, r := cmd.Flags(), &o.req
	o.run.Bind(f, &r.Run, &r.Network)
	o.registry.Bind(f)
	o.retry.Bind(f)
	o.platform.Bind(f)
	f.StringVar(&o.cidFile, "cidfile", "", "write the container ID to the file")
	o.decryption.Bind(f)
	f.StringVarP(&r.Format, "format", "f", os.Getenv("BUILDAH_FORMAT"), "`format` of the image manifest and metadata")
	f.Lookup("format").DefValue = build.FormatOCI
	f.StringVar(&o.name, "name", "", "`name` for the working container")
	buildcmd.BindPull(f, &r.Pull)
	f.BoolVar(&o.pullAlways, "pull-always", false, "pull the image even if the named image is present in store")
	f.BoolVar(&o.pullNever, "pull-never", false, "do not pull the image, use the image present in store if available")
	_ = f.MarkHidden("pull-always")
	_ = f.MarkHidden("pull-never")
	f.BoolVarP(&r.Quiet, "quiet", "q", false, "don't output progress information when pulling images")
	return cmd
}

func runFrom(cmd *cobra.Command, a *app, o *fromFlags, image string) error {
	r := &o.req
	switch {
	case o.pullAlways:
		r.Pull = build.PullAlways
	case o.pullNever:
		r.Pull = build.PullNever
	}
	if err := o.run.Apply(&r.Run, &r.Network); err != nil {
		return err
	}
	var err error
	if r.Registry, err = o.registry.AskingOptions(); err != nil {
		return err
	}
	o.retry.Into(&r.Registry)
	if r.Platform, err = o.platform.Value(); err != nil {
		return err
	}
	return a.work(r, func() error {
		if r.Keys, err = o.decryption.Value(); err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		w, err := build.From(ctx, *r, image, o.name)
		if err != nil {
			return err
		}
		if o.cidFile != "" {
			if err := os.WriteFile(o.cidFile, []byte(w.ID), 0o644); err != nil {
				return errors.Join(err, w.Remove(), w.Close())
			}
		}
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), w.Name); err != nil {
			return errors.Join(err, w.Close())
		}
		return w.Close()
	})
}

// work opens what a command on a working container needs, runs it and closes.
func (a *app) work(r *build.WorkRequest, run func() error) error {
	st, cfg, err := a.open()
	if err != nil {
		return err
	}
	defer st.Close()
	rt, err := a.openRuntime(cfg, a.runtimeFlags)
	if err != nil {
		return err
	}
	r.Store, r.Config, r.Runtime, r.Version = st, cfg, rt, version
	if r.Stdout == nil {
		r.Stdout = os.Stdout
	}
	r.Stderr = os.Stderr
	return run()
}

// onStore opens the store and runs a command that needs no more.
func (a *app) onStore(run func(*store.Store) error) error {
	st, _, err := a.open()
	if err != nil {
		return err
	}
	defer st.Close()
	return run(st)
}
