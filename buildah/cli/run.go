package cli

import (
	"errors"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/buildah/buildcmd"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
)

type runFlags struct {
	work    build.WorkRequest
	run     build.RunRequest
	flags   buildcmd.RunFlags
	noPivot bool
}

func newRun(a *app) *cobra.Command {
	o := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run CONTAINER [--] COMMAND [ARG...]",
		Short: "Run a command inside of the container",
		Long: `Runs a specified command using the container's root filesystem as a root
filesystem, using configuration settings inherited from the container's
image or as specified using previous calls to the config command.`,
		Example: `buildah run containerID -- ps -auxw
buildah run --terminal containerID /bin/bash
buildah run --volume /path/on/host:/path/in/container:ro,z containerID /bin/sh`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 && args[1] == "--" {
				args = slices.Delete(args, 1, 2)
			}
			switch len(args) {
			case 0:
				return errdef.Newf(errdef.ErrInvalid, "container ID must be specified")
			case 1:
				return errdef.Newf(errdef.ErrInvalid, "command must be specified")
			}
			return runRun(cmd, a, o, args[0], args[1:])
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	o.flags.BindRun(f, &o.work.Run, &o.work.Network)
	f.BoolVar(&o.run.AddHistory, "add-history", envBool("BUILDAH_HISTORY"), "add an entry for this operation to the image's history.  Use BUILDAH_HISTORY environment variable to override.")
	f.StringVar(&o.work.Context, "contextdir", "", "context directory path")
	f.StringArrayVarP(&o.run.Env, "env", "e", []string{}, "add environment variable to be set temporarily when running command")
	f.StringVar(&o.run.Hostname, "hostname", "", "set the hostname inside of the container")
	f.StringArrayVar(&o.run.Mounts, "mount", []string{}, "attach a filesystem mount to the container")
	f.BoolVar(&o.work.Run.NoHostname, "no-hostname", false, "do not override the /etc/hostname file within the container")
	f.BoolVar(&o.work.Run.NoHosts, "no-hosts", false, "do not override the /etc/hosts file within the container")
	f.BoolVar(&o.noPivot, "no-pivot", false, "do not use pivot root to jail process inside rootfs")
	f.StringVar(&a.runtime, "runtime", os.Getenv("BUILDAH_RUNTIME"), "`path` to an alternate OCI runtime")
	f.StringSliceVar(&a.runtimeFlags, "runtime-flag", nil, "add global flags for the container runtime")
	f.BoolVarP(&o.run.Terminal, "terminal", "t", false, "allocate a pseudo-TTY in the container")
	f.BoolVar(&o.run.Terminal, "tty", false, "allocate a pseudo-TTY in the container")
	_ = f.MarkHidden("tty")
	f.StringVar(&o.run.User, "user", "", "`user[:group]` to run the command as")
	f.StringVar(&o.run.WorkingDir, "workingdir", "", "temporarily set working directory for command (default to container's workingdir)")
	return cmd
}

func runRun(cmd *cobra.Command, a *app, o *runFlags, container string, args []string) error {
	if err := o.flags.Apply(&o.work.Run, &o.work.Network); err != nil {
		return err
	}
	for i, kv := range o.run.Env {
		o.run.Env[i] = fromEnvironment(kv)
	}
	o.run.Args, o.run.Stdin = args, os.Stdin
	if !cmd.Flags().Changed("terminal") && !cmd.Flags().Changed("tty") {
		o.run.Terminal = cliout.IsTerminal(os.Stdin) && cliout.IsTerminal(os.Stdout)
	}
	if o.noPivot {
		return errdef.Newf(errdef.ErrUnsupported, "--no-pivot is not supported: a root file system on a ramdisk can't be left without it")
	}
	return a.work(&o.work, func() error {
		w, err := build.Open(o.work, container)
		if err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		return errors.Join(w.Run(ctx, o.run), w.Close())
	})
}
