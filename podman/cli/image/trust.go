package image

import (
	"os"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/trust"
	"github.com/spf13/cobra"
)

// newTrust is `podman image trust`.
func newTrust(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Manage container image trust policy",
		Long:  "Says which registries and repositories images are taken from, and whose signatures they need.",
	}
	cmd.AddCommand(newTrustSet(a), newTrustShow(a))
	return cmd
}

func newTrustSet(a *app.App) *cobra.Command {
	var rule trust.Rule
	var file string
	cmd := &cobra.Command{
		Use:     "set [options] REGISTRY",
		Short:   "Set default trust policy or a new trust policy for a registry",
		Long:    "Sets what the policy says of a registry, a repository or an image, or, for REGISTRY default, of everything else.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman image trust set -t reject default\n  podman image trust set -f /etc/pki/containers/acme.gpg registry.example.com/acme",
	}
	f := cmd.Flags()
	f.StringArrayVarP(&rule.Keys, "pubkeysfile", "f", nil, "File with a public key that images must be signed with; may be given several times, then a signature with each is needed")
	f.StringVarP(&rule.Type, "type", "t", "signedBy", "Trust type, accept values: signedBy(default), accept, reject, sigstoreSigned")
	bindPolicyFile(cmd, &file)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		c, err := a.Config()
		if err != nil {
			return err
		}
		rule.Scope = args[0]
		return trust.Set(c, file, rule)
	}
	return cmd
}

// bindPolicyFile declares the option, which help doesn't list, of working on
// another policy than the one in force.
func bindPolicyFile(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "policypath", "", "Path of the policy file")
	cmd.Flags().MarkHidden("policypath") //nolint:errcheck // it was declared above
}

func newTrustShow(a *app.App) *cobra.Command {
	var file, places string
	var asJSON, noHeading, raw bool
	cmd := &cobra.Command{
		Use:     "show [options] [REGISTRY]",
		Short:   "Display trust policy for the system",
		Long:    "Shows what the policy says, or only that part of it which decides about the images of REGISTRY.",
		Args:    cobra.MaximumNArgs(1),
		Example: "  podman image trust show\n  podman image trust show --json docker.io/library",
	}
	f := cmd.Flags()
	f.BoolVarP(&asJSON, "json", "j", false, "Output as json")
	f.BoolVarP(&noHeading, "noheading", "n", false, "Do not print column headings")
	f.BoolVar(&raw, "raw", false, "Output raw policy file")
	bindPolicyFile(cmd, &file)
	f.StringVar(&places, "registrypath", "", "Path of the directory of signature configurations")
	f.MarkHidden("registrypath") //nolint:errcheck // as above
	cmd.MarkFlagsMutuallyExclusive("json", "raw")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.Config()
		if err != nil {
			return err
		}
		if raw {
			return showRaw(cmd, c, file)
		}
		policy, err := trust.Load(c, file)
		if err != nil {
			return err
		}
		where, err := trust.LoadPlaces(c, places)
		if err != nil {
			return err
		}
		entries := policy.Entries(where)
		if len(args) > 0 {
			entries = trust.Governing(entries, args[0])
		}
		if asJSON {
			return cliout.JSON(cmd.OutOrStdout(), entries, 2)
		}
		return printTrust(cmd, entries, noHeading)
	}
	return cmd
}

func showRaw(cmd *cobra.Command, c *config.Config, file string) error {
	if file == "" {
		if file = trust.Path(c); file == "" {
			return nil // no policy: everything is accepted
		}
	}
	data, err := os.ReadFile(file)
	if err == nil {
		_, err = cmd.OutOrStdout().Write(data)
	}
	return err
}

func printTrust(cmd *cobra.Command, entries []trust.Entry, noHeading bool) error {
	var lines [][]string
	if !noHeading {
		lines = append(lines, []string{"TRANSPORT", "NAME", "TYPE", "ID", "STORE"})
	}
	for _, e := range entries {
		lines = append(lines, []string{e.Transport, e.Scope, e.Type, e.Signers, e.Store})
	}
	return cliout.Columns(cmd.OutOrStdout(), lines)
}
