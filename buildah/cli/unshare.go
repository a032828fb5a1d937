package cli

import (
	"errors"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/errdef"
)

func newUnshare(a *app) *cobra.Command {
	var mounts []string
	cmd := &cobra.Command{
		Use:     "unshare [COMMAND [ARG...]]",
		Short:   "Run a command in a modified user namespace",
		Long:    "Runs a command in a modified user namespace.",
		Example: "buildah unshare id\nbuildah unshare cat /proc/self/uid_map\nbuildah unshare buildah-script.sh",
		RunE: func(_ *cobra.Command, args []string) error {
			return runUnshare(a, args, mounts)
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().StringSliceVarP(&mounts, "mount", "m", []string{}, "mount the specified containers")
	return cmd
}

// runUnshare runs the command; opening the store has entered the namespace.
func runUnshare(a *app, args, mounts []string) error {
	st, cfg, err := a.open()
	if err != nil {
		return err
	}
	defer st.Close()
	env := append(os.Environ(), "CONTAINERS_GRAPHROOT="+cfg.Storage.GraphRoot, "CONTAINERS_RUNROOT="+cfg.Storage.RunRoot)
	for _, text := range mounts {
		variable, name, ok := strings.Cut(text, "=")
		if !ok {
			name, variable = text, text
		}
		root, err := build.Mount(st, name)
		if err != nil {
			return err
		}
		defer func() { _, _ = build.Unmount(st, name) }()
		env = append(env, variable+"="+root)
	}
	if len(args) == 0 {
		shell := os.Getenv("SHELL")
		if shell == "" {
			shell = "/bin/sh"
		}
		args = []string{shell}
	}
	child := exec.Command(args[0], args[1:]...)
	child.Stdin, child.Stdout, child.Stderr, child.Env = os.Stdin, os.Stdout, os.Stderr, env
	err = child.Run()
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() > 0:
		return &errdef.Exit{Code: ended.ExitCode()}
	case errors.Is(err, exec.ErrNotFound):
		return errdef.As(errdef.ErrNotFound, err)
	}
	return err
}
