package engine

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/userns"
)

// Unshare runs a command, the user's shell if args is empty, in the namespaces
// of a user without root; with onBridges also in the network namespace that has
// their bridges. The command's exit status is an errdef.Exit.
func (e *Engine) Unshare(ctx context.Context, args []string, onBridges bool) error {
	if !userns.Rootless() {
		return errdef.Newf(errdef.ErrUnsupported, "please use unshare with rootless")
	}
	if len(args) == 0 {
		args = []string{first(os.Getenv("SHELL"), "/bin/sh")}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "CONTAINERS_GRAPHROOT="+e.Store.GraphRoot(), "CONTAINERS_RUNROOT="+e.Store.RunRoot())
	leave := func() error { return nil }
	err := cmd.Err // without the program, nothing is set up for it
	switch {
	case err != nil:
	case onBridges:
		m, failed := e.networks()
		if failed != nil {
			return failed
		}
		leave, err = m.StartOnBridges(ctx, cmd)
	default:
		err = cmd.Start()
	}
	if err == nil {
		err = cmd.Wait()
		if left := leave(); left != nil {
			return left
		}
	}
	return unshared(err)
}

// unshared is the status of a command that was run so.
func unshared(err error) error {
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() > 0:
		return &errdef.Exit{Code: ended.ExitCode()}
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return &errdef.Exit{Code: 127, Err: err}
	case errors.Is(err, os.ErrPermission):
		return &errdef.Exit{Code: 126, Err: err}
	}
	return err
}
