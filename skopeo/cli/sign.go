package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/signature"
)

func newStandaloneSign() *cobra.Command {
	var output, passphraseFile string
	cmd := &cobra.Command{
		Use:   "standalone-sign [command options] MANIFEST DOCKER-REFERENCE KEY-FINGERPRINT --output|-o SIGNATURE",
		Short: "Create a signature using local files",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 3 || output == "" {
				return invalid("Usage: skopeo standalone-sign manifest docker-reference key-fingerprint -o signature")
			}
			manifest, err := signature.ReadSmallFile(args[0])
			if err != nil {
				return fmt.Errorf("Error reading %s: %w", args[0], err)
			}
			name, err := ref.ParseNormalized(args[1])
			if err != nil {
				return fmt.Errorf("Error creating signature: the name %q: %w", args[1], err)
			}
			var pass *string
			if passphraseFile != "" {
				text, err := signature.ReadPassphrase(passphraseFile)
				if err != nil {
					return err
				}
				pass = &text
			}
			signer, err := signature.GPGSigner(args[2], pass)
			if err != nil {
				return err
			}
			sig, err := signer.Sign(cmd.Context(), signature.Claim{Digest: digest.FromBytes(manifest), Reference: name.String()})
			if err != nil {
				return fmt.Errorf("Error creating signature: %w", err)
			}
			if err := os.WriteFile(output, sig.Message, 0o644); err != nil {
				return fmt.Errorf("Error writing signature to %s: %w", output, err)
			}
			return nil
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "output the signature to `SIGNATURE`")
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file that contains a passphrase for the --sign-by key")
	return cmd
}

func newStandaloneVerify() *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "standalone-verify MANIFEST DOCKER-REFERENCE KEY-FINGERPRINTS SIGNATURE",
		Short: "Verify a signature using local files",
		Long:  "Verify a signature using local files\n\nKEY-FINGERPRINTS can be a comma separated list of fingerprints, or \"any\" if you trust all the keys in the public key file.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 4 {
				return invalid("Usage: skopeo standalone-verify manifest docker-reference key-fingerprint signature")
			}
			return verify(cmd, args[0], args[1], args[2], args[3], keyFile)
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().StringVar(&keyFile, "public-key-file", "", "File containing public keys. If not specified, will use local GPG keys.")
	return cmd
}

func verify(cmd *cobra.Command, manifestFile, name, fingerprints, signatureFile, keyFile string) error {
	if fingerprints == "any" && keyFile == "" {
		return invalid("Cannot use any fingerprint without a public key file")
	}
	manifest, err := signature.ReadSmallFile(manifestFile)
	if err != nil {
		return fmt.Errorf("Error reading manifest from %s: %w", manifestFile, err)
	}
	blob, err := signature.ReadSmallFile(signatureFile)
	if err != nil {
		return fmt.Errorf("Error reading signature from %s: %w", signatureFile, err)
	}
	want, err := ref.ParseNormalized(name)
	if err != nil {
		return fmt.Errorf("Error verifying signature: %w", err)
	}
	trusted := strings.Split(strings.ToUpper(fingerprints), ",")
	var ring *signature.Keyring
	if keyFile != "" {
		data, err := signature.ReadSmallFile(keyFile)
		if err != nil {
			return fmt.Errorf("Error reading public keys from %s: %w", keyFile, err)
		}
		ring, err = signature.ReadKeyring(data)
		if err != nil {
			return fmt.Errorf("Error verifying signature: %w", err)
		}
		if fingerprints == "any" {
			trusted = ring.Fingerprints()
		}
	} else if ring, err = signature.ExportedKeys(cmd.Context(), trusted...); err != nil {
		return fmt.Errorf("Error verifying signature: %w", err)
	}
	by, err := checkFile(ring, trusted, blob, want, manifest)
	if err != nil {
		return errdef.Newf(errdef.ErrDenied, "Error verifying signature: %w", err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Signature verified using fingerprint %s, digest %s\n", by, digest.FromBytes(manifest))
	return err
}

// checkFile tells who signed the manifest under the name.
func checkFile(ring *signature.Keyring, trusted []string, blob []byte, want ref.Name, manifest []byte) (string, error) {
	s, err := signature.Parse(blob)
	if err != nil {
		return "", err
	}
	claim, by, err := ring.Verify(s)
	if err != nil {
		return "", err
	}
	if !slices.Contains(trusted, by) {
		return "", fmt.Errorf("signature by key %s is not accepted", by)
	}
	if have, err := ref.ParseNormalized(claim.Reference); err != nil || have != want {
		return "", fmt.Errorf("Docker reference %q does not match %q", claim.Reference, want)
	}
	if claim.Digest.Algorithm().FromBytes(manifest) != claim.Digest {
		return "", fmt.Errorf("Signature for docker digest %q does not match", claim.Digest)
	}
	return by, nil
}

func newGenerateSigstoreKey() *cobra.Command {
	var prefix, passphraseFile string
	cmd := &cobra.Command{
		Use:     "generate-sigstore-key [command options] --output-prefix PREFIX",
		Short:   "Generate a sigstore public/private key pair",
		Example: "skopeo generate-sigstore-key --output-prefix my-key",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 0 || prefix == "" {
				return invalid("Usage: generate-sigstore-key --output-prefix PREFIX")
			}
			return generateKey(cmd, prefix, passphraseFile)
		},
		DisableFlagsInUseLine: true,
	}
	cmd.Flags().StringVar(&prefix, "output-prefix", "", "Write the keys to `PREFIX`.pub and PREFIX.private")
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "Read a passphrase for the private key from `PATH`")
	return cmd
}

// generateKey writes both halves, or none.
func generateKey(cmd *cobra.Command, prefix, passphraseFile string) error {
	private, public := prefix+".private", prefix+".pub"
	for _, path := range []string{public, private} {
		if _, err := os.Lstat(path); err == nil {
			return errdef.Newf(errdef.ErrConflict, "Refusing to overwrite existing %q", path)
		} else if !os.IsNotExist(err) {
			return fmt.Errorf("Error checking existence of %q: %w", path, err)
		}
	}
	var pass []byte
	var err error
	if passphraseFile != "" {
		var text string
		text, err = signature.ReadPassphrase(passphraseFile)
		pass = []byte(text)
	} else {
		pass, err = cliflag.AskPassphrase(private, os.Stdin, true)
	}
	if err != nil {
		return err
	}
	secret, open, err := signature.GenerateKey(pass)
	if err != nil {
		return fmt.Errorf("Error generating key pair: %w", err)
	}
	if err := writeNew(private, secret, 0o600); err != nil {
		return err
	}
	if err := writeNew(public, open, 0o644); err != nil {
		os.Remove(private) //nolint:errcheck // the first error says it all
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Key written to %q and %q\n", private, public)
	return err
}

// writeNew writes a file that must not be there.
func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err == nil {
		_, err = f.Write(data)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			os.Remove(path) //nolint:errcheck // as above
		}
	}
	if err != nil {
		return fmt.Errorf("Error writing key to %q: %w", path, err)
	}
	return nil
}
