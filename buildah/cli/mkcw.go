package cli

import (
	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/errdef"
)

// newMkcw refuses, whatever its options are.
func newMkcw() *cobra.Command {
	cmd := &cobra.Command{
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
	f := cmd.Flags()
	f.StringSlice("add-file", nil, "add contents of a file to the image at a specified path (`source:destination`)")
	f.StringP("attestation-url", "u", "", "attestation server URL")
	f.StringP("base-image", "b", "", "alternate base image (default: scratch)")
	f.IntP("cpus", "c", 0, "number of CPUs to expect")
	f.StringP("firmware-library", "f", "", "location of libkrunfw-sev.so")
	f.IntP("memory", "m", 0, "amount of memory to expect (MB)")
	f.StringP("passphrase", "p", "", "LUKS passphrase")
	f.StringP("slop", "s", "", "extra space needed for converting a container rootfs to a disk image")
	f.StringP("type", "t", "", "TEE (trusted execution environment) type: SEV,SNP (default: autodetected)")
	f.StringP("workload-id", "w", "", "workload ID")
	return cmd
}
