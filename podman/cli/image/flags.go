package image

import (
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/shared/auth"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/login"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/spf13/cobra"
)

// registryFlags say how to talk to a registry.
type registryFlags struct {
	authFile, certDir, creds string
	tlsVerify                bool
	retry                    uint
	retryDelay               string
}

func (f *registryFlags) bind(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.authFile, "authfile", "", "Path of the authentication file. Use REGISTRY_AUTH_FILE environment variable to override")
	fl.StringVar(&f.certDir, "cert-dir", "", "Path of a directory containing TLS certificates and keys")
	fl.StringVar(&f.creds, "creds", "", "Credentials (USERNAME:PASSWORD) to use for authenticating to a registry")
	fl.BoolVar(&f.tlsVerify, "tls-verify", true, "Require HTTPS and verify certificates when contacting registries")
}

// bindRetry adds the options of operations that are tried again.
func (f *registryFlags) bindRetry(cmd *cobra.Command) {
	cmd.Flags().UintVar(&f.retry, "retry", 3, "Number of times to retry in case of failure")
	cmd.Flags().StringVar(&f.retryDelay, "retry-delay", "", "Delay between retries in case of failure")
}

// options turns the flags into what the registry client takes.
func (f *registryFlags) options(cmd *cobra.Command) (registry.Options, error) {
	o := registry.Options{AuthFile: f.authFile, CertDir: f.certDir, Retries: int(f.retry)}
	if f.authFile != "" {
		if _, err := os.Stat(f.authFile); err != nil {
			return o, errdef.Newf(errdef.ErrInvalid, "credential file is not accessible: %w", err)
		}
	}
	if cmd.Flags().Changed("tls-verify") {
		o.TLSVerify = &f.tlsVerify
	}
	if f.retry == 0 && cmd.Flags().Lookup("retry") != nil {
		o.Retries = -1
	}
	if f.retryDelay != "" {
		d, err := time.ParseDuration(f.retryDelay)
		if err != nil || d < 0 {
			return o, errdef.Newf(errdef.ErrInvalid, "invalid --retry-delay %q: want a duration such as 2s", f.retryDelay)
		}
		o.RetryDelay = d
	}
	if f.creds == "" {
		return o, nil
	}
	c, err := auth.Parse(f.creds)
	if err != nil {
		return o, err
	}
	if c.Password == "" {
		if c.Password, err = login.ReadPassword(cmd.ErrOrStderr(), os.Stdin); err != nil {
			return o, err
		}
	}
	o.Credentials = &c
	return o, nil
}

// progress shows a copy on standard error, unless it shall be quiet.
func progress(quiet bool) cliout.Progress {
	if quiet {
		return cliout.NewProgress(nil, "none")
	}
	return cliout.NewProgress(os.Stderr, "auto")
}

// platformFlags choose among the images of a list.
type platformFlags struct{ platform, os, arch, variant string }

func (f *platformFlags) bind(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.arch, "arch", "", "Use `ARCH` instead of the architecture of the machine for choosing images")
	fl.StringVar(&f.os, "os", "", "Use `OS` instead of the running OS for choosing images")
	fl.StringVar(&f.platform, "platform", "", "Specify the platform for selecting the image.  (Conflicts with arch and os)")
	fl.StringVar(&f.variant, "variant", "", "Use VARIANT instead of the running architecture variant for choosing images")
}

func (f *platformFlags) value() (v1.Platform, error) {
	if f.platform == "" {
		return v1.Platform{OS: f.os, Architecture: f.arch, Variant: f.variant}, nil
	}
	if f.os != "" || f.arch != "" {
		return v1.Platform{}, errdef.Newf(errdef.ErrInvalid, "--platform option can not be specified with --arch or --os")
	}
	parts := strings.Split(f.platform, "/")
	if len(parts) > 3 || parts[0] == "" {
		return v1.Platform{}, errdef.Newf(errdef.ErrInvalid, "invalid platform %q: want OS/ARCH[/VARIANT]", f.platform)
	}
	parts = append(parts, "", "")
	return v1.Platform{OS: parts[0], Architecture: parts[1], Variant: first(parts[2], f.variant)}, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

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
