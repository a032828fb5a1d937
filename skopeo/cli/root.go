package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/complete"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
	"github.com/podsuite/podsuite/shared/trust"
	"github.com/podsuite/podsuite/shared/userns"
)

// version is the reference version whose command line this one has.
const version = "1.22.0"

// Main runs skopeo with the arguments and gives its exit status.
func Main(args []string) int {
	ctx, stop := cliout.Interruptible(context.Background())
	defer stop()
	return cliout.Main("skopeo", newRoot(), cliout.MainOptions{Args: args, Context: ctx})
}

// global holds the options of all commands and what they open.
type global struct {
	timeout        time.Duration
	debug          bool
	insecurePolicy bool
	policy         string
	platform       v1.Platform
	userAgent      string
	registriesDir  string
	places         transport.SharedPlaces
	tmpDir         string

	cfg *config.Config
}

func newRoot() *cobra.Command {
	g := &global{}
	root := &cobra.Command{
		Use:     "skopeo",
		Short:   "Various operations with container images and container image registries",
		Version: version,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return g.start(cmd)
		},
	}
	root.SetVersionTemplate("skopeo version {{.Version}}\n")
	root.Flags().BoolP("version", "v", false, "Version for Skopeo")
	f := root.PersistentFlags()
	f.DurationVar(&g.timeout, "command-timeout", 0, "timeout for the command execution")
	f.BoolVar(&g.debug, "debug", false, "print each request to a registry")
	f.BoolVar(&g.insecurePolicy, "insecure-policy", false, "run the tool without any policy check")
	f.StringVar(&g.platform.Architecture, "override-arch", "", "use `ARCH` instead of the architecture of the machine for choosing images")
	f.StringVar(&g.platform.OS, "override-os", "", "use `OS` instead of the running OS for choosing images")
	f.StringVar(&g.platform.Variant, "override-variant", "", "use `VARIANT` instead of the running architecture variant for choosing images")
	f.StringVar(&g.policy, "policy", "", "Path to a trust policy file")
	f.StringVar(&g.registriesDir, "registries.d", "", "use registry configuration files in `DIR` (e.g. for container signature storage)")
	f.StringVar(&g.tmpDir, "tmpdir", "", "directory used to store temporary files")
	f.StringVar(&g.userAgent, "user-agent-prefix", "", "prefix to add to the user agent string")
	root.AddCommand(newCopy(g), newDelete(g), newGenerateSigstoreKey(), newStandaloneSign(), newStandaloneVerify(), newInspect(g), newListTags(g), newLogin(g), newLogout(g), newManifestDigest(), newSync(g))
	if complete.Asked(os.Args[1:]) {
		complete.Add(root, words())
	}
	return root
}

// start loads the configuration and sets the time limit.
func (g *global) start(cmd *cobra.Command) error {
	var err error
	o := config.Options{}
	if userns.Rootless() {
		o.User = &config.User{UID: userns.RealUID()}
	}
	if g.cfg, err = config.Load(o); err != nil {
		return err
	}
	if g.tmpDir != "" {
		g.cfg.Engine.ImageCopyTmpDir = g.tmpDir
	}
	if g.timeout > 0 {
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), g.timeout, fmt.Errorf("timeout of %s exceeded", g.timeout))
		context.AfterFunc(ctx, cancel)
		cmd.SetContext(ctx)
	}
	return nil
}

// trustPolicy loads the policy that copies are checked against.
func (g *global) trustPolicy() (*trust.Policy, error) {
	if g.insecurePolicy {
		return trust.Insecure(), nil
	}
	p, err := trust.Load(g.cfg, g.policy)
	if err != nil {
		return nil, fmt.Errorf("Error loading trust policy: %w", err)
	}
	return p, nil
}

// logTo gives the function that prints requests for --debug.
func (g *global) logTo(w io.Writer) func(string) {
	if !g.debug {
		return nil
	}
	return func(line string) {
		(&cliout.Log{W: w}).Debug(line)
	}
}

// enter brings an ordinary user into the namespace that owns the store, if one
// of the places is in a store. It may start the program again, so it comes
// before anything is opened.
func enter(places ...ref.Location) error {
	for _, l := range places {
		if l.Transport == ref.ContainersStorage {
			return userns.Enter("", nil)
		}
	}
	return nil
}

// missing gives an image that does not exist the exit status 2.
func missing(err error, l ref.Location) error {
	if err == nil {
		return nil
	}
	found := l.Transport != ref.ContainersStorage && l.Transport != ref.OCI && l.Transport != ref.OCIArchive || !errors.Is(err, errdef.ErrNotFound)
	var status *registry.StatusError
	if errors.As(err, &status) && status.Code == "MANIFEST_UNKNOWN" {
		found = false
	}
	if found {
		return err
	}
	return &errdef.Exit{Code: 2, Err: err}
}

// invalid is a mistake on the command line.
func invalid(format string, args ...any) error {
	return errdef.Newf(errdef.ErrInvalid, format, args...)
}

func isDenied(err error) bool { return errors.Is(err, errdef.ErrDenied) }
