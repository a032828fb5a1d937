package container

import (
	"errors"
	"io"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// exitWith passes a container's exit status on.
func exitWith(status int) error {
	if status == 0 {
		return nil
	}
	return &errdef.Exit{Code: status}
}

// errdefExit gives err the exit status code, unless it has one.
func errdefExit(err error, code int) error {
	var exit *errdef.Exit
	if errors.As(err, &exit) {
		return err
	}
	return &errdef.Exit{Code: code, Err: err}
}

func quietIf(cmd *cobra.Command, quiet bool) io.Writer {
	if quiet {
		return io.Discard
	}
	return cmd.OutOrStdout()
}
