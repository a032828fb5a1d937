package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/registry"
)

func newManifestDigest() *cobra.Command {
	return &cobra.Command{
		Use:     "manifest-digest MANIFEST-FILE",
		Short:   "Compute a manifest digest of a file",
		Example: "skopeo manifest-digest manifest.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return invalid("Usage: skopeo manifest-digest manifest")
			}
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("Error reading manifest from %s: %w", args[0], err)
			}
			defer f.Close()
			data, err := io.ReadAll(io.LimitReader(f, registry.MaxManifestSize+1))
			if err != nil {
				return fmt.Errorf("Error reading manifest from %s: %w", args[0], err)
			}
			if len(data) > registry.MaxManifestSize {
				return invalid("Error reading manifest from %s: larger than %d bytes", args[0], registry.MaxManifestSize)
			}
			fmt.Fprintln(cmd.OutOrStdout(), digest.FromBytes(data))
			return nil
		},
		DisableFlagsInUseLine: true,
	}
}
