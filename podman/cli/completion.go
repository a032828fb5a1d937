package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// newCompletion is `podman completion`.
func newCompletion(*app.App) *cobra.Command {
	var file string
	var noDesc bool
	shells := []string{"bash", "zsh", "fish", "powershell"}
	cmd := &cobra.Command{
		Use:                   "completion [options] {bash|zsh|fish|powershell}",
		Short:                 "Generate shell autocompletions",
		Long:                  "Writes the script that lets the shell complete podman's commands, options and the names of its objects.",
		Example:               "  podman completion bash\n  podman completion zsh -f _podman\n  podman completion fish --no-desc",
		ValidArgs:             shells,
		Args:                  cobra.ExactArgs(1),
		Hidden:                true,
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "Output the completion to file rather than stdout.")
	cmd.Flags().BoolVar(&noDesc, "no-desc", false, "Don't include descriptions in the completion output.")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		write := scripts(cmd.Root(), !noDesc)[args[0]]
		if write == nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid argument %q for %q", args[0], cmd.CommandPath())
		}
		if file == "" {
			return write(cmd.OutOrStdout())
		}
		f, err := os.Create(file)
		if err != nil {
			return fmt.Errorf("write completions: %w", err)
		}
		err = write(f)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		return err
	}
	return cmd
}

// scripts are the writers of the shells' scripts.
func scripts(root *cobra.Command, describe bool) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{
		"bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, describe) },
		"zsh": func(w io.Writer) error {
			if describe {
				return root.GenZshCompletion(w)
			}
			return root.GenZshCompletionNoDesc(w)
		},
		"fish": func(w io.Writer) error { return root.GenFishCompletion(w, describe) },
		"powershell": func(w io.Writer) error {
			if describe {
				return root.GenPowerShellCompletionWithDesc(w)
			}
			return root.GenPowerShellCompletion(w)
		},
	}
}
