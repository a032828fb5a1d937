package cli

import (
	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/errdef"
)

// newMkcw refuses, whatever its options are.
func newMkcw() *cobra.Command {
	return &cobra.Command{
		Use:                "mkcw IMAGE NAME",
		Short:              "Convert a conventional image to a confidential workload image",
		Long:               "Would convert a conventional image to one for a confidential workload, which is not supported.",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, arg := range args {
				if arg == "-h" || arg == "--help" {
					return cmd.Help()
				}
			}
			return errdef.Newf(errdef.ErrUnsupported, "mkcw is not supported: images for confidential workloads take an encrypted disk and a server that attests to the machine")
		},
	}
}
