package image

import (
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// atLeast refuses fewer arguments, in the words that users know.
func atLeast(n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < n {
			return errdef.Newf(errdef.ErrInvalid, "requires at least %d arg(s), only received %d", n, len(args))
		}
		return nil
	}
}

// shortID is an ID as lists show it.
func shortID(id string, whole bool) string {
	if whole {
		return "sha256:" + id
	}
	return id[:min(len(id), 12)]
}
