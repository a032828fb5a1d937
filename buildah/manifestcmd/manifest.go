package manifestcmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/manifestlist"
)

// Host is the program that has the command.
type Host struct {
	Program string // podman or buildah
	// Lists opens the store's lists; done closes them.
	Lists func() (lists manifestlist.Lists, done func(), err error)
	// Remove removes lists, and prints what it removed.
	Remove func(cmd *cobra.Command, lists []string, ignoreMissing bool) error
}

func (h Host) podman() bool { return h.Program == "podman" }

// with makes the RunE of a command that works on lists.
func (h Host) with(run func(cmd *cobra.Command, lists manifestlist.Lists, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		lists, done, err := h.Lists()
		if err != nil {
			return err
		}
		defer done()
		return run(cmd, lists, args)
	}
}

// New is `manifest`.
func New(h Host) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Manipulate manifest lists and image indexes",
		Long:  "Creates, modifies, and pushes manifest lists and image indexes.",
		Example: "  " + h.Program + " manifest add mylist:v1.11 image:v1.11-amd64\n  " + h.Program + " manifest create localhost/list\n  " + h.Program + " manifest inspect localhost/list\n" +
			"  " + h.Program + " manifest annotate --annotation left=right mylist:v1.11 sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736\n" +
			"  " + h.Program + " manifest push mylist:v1.11 docker://quay.io/myuser/image:v1.11\n" +
			"  " + h.Program + " manifest remove mylist:v1.11 sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736\n  " + h.Program + " manifest rm mylist:v1.11",
	}
	for _, add := range []func(Host) *cobra.Command{newAdd, newAnnotate, newCreate, newExists, newInspect, newPush, newRemove, newRm} {
		cmd.AddCommand(add(h))
	}
	return cmd
}

// newExists is `manifest exists`.
func newExists(h Host) *cobra.Command {
	return &cobra.Command{
		Use:     "exists MANIFEST",
		Short:   "Check if a manifest list exists in local storage",
		Long:    "If the manifest list exists in local storage, " + h.Program + " manifest exists exits with 0, otherwise the exit code will be 1.",
		Args:    cobra.ExactArgs(1),
		Example: "  " + h.Program + " manifest exists mylist",
		RunE: h.with(func(_ *cobra.Command, lists manifestlist.Lists, args []string) error {
			_, err := lists.Find(args[0])
			if errors.Is(err, errdef.ErrNotFound) {
				return &errdef.Exit{Code: 1}
			}
			return err
		}),
	}
}

// newRemove is `manifest remove`.
func newRemove(h Host) *cobra.Command {
	return &cobra.Command{
		Use:     "remove LIST DIGEST",
		Short:   "Remove an item from a manifest list or image index",
		Long:    "Removes an item from a manifest list or image index.",
		Args:    cobra.ExactArgs(2),
		Example: "  " + h.Program + " manifest remove mylist:v1.11 sha256:15352d97781ffdf357bf3459c037be3efac4133dc9070c2dce7eca7c05c3e736",
		RunE: h.with(func(cmd *cobra.Command, lists manifestlist.Lists, args []string) error {
			id, removed, err := lists.Remove(args[0], args[1])
			return h.print(cmd, id, []digest.Digest{removed}, err)
		}),
	}
}

// newRm is `manifest rm`.
func newRm(h Host) *cobra.Command {
	var ignore bool
	cmd := &cobra.Command{
		Use:     "rm [options] LIST [LIST...]",
		Short:   "Remove manifest list or image index from local storage",
		Long:    "Remove manifest list or image index from local storage.",
		Args:    cobra.MinimumNArgs(1),
		Example: "  " + h.Program + " manifest rm mylist:v1.11",
	}
	if h.podman() {
		cmd.Flags().BoolVarP(&ignore, "ignore", "i", false, "Ignore errors when a specified manifest is missing")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return h.Remove(cmd, args, ignore) }
	return cmd
}

// print prints the ID of a list that was changed, if it was; for buildah, also
// what of it was changed.
func (h Host) print(cmd *cobra.Command, id string, changed []digest.Digest, err error) error {
	if err != nil {
		return err
	}
	if h.podman() || len(changed) == 0 {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), id)
		return err
	}
	var text strings.Builder
	for _, d := range changed {
		fmt.Fprintf(&text, "%s: %s\n", id, d)
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), text.String())
	return err
}

// indentList is how far the JSON of a list is indented.
const indentList = 4
