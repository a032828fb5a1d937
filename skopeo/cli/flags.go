package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/transport"
)

// place holds the options of one side of a command.
type place struct {
	cliflag.Registry
	sharedBlobs string
	daemonHost  string
}

// bind declares the options with the prefix of the side: "", "src-" or "dest-".
func (p *place) bind(cmd *cobra.Command, prefix string) { p.BindSide(cmd.Flags(), prefix) }

// bindOthers declares what only commands take that reach other places than
// registries.
func (p *place) bindOthers(cmd *cobra.Command, prefix string) {
	cmd.Flags().StringVar(&p.sharedBlobs, prefix+"shared-blob-dir", "", "`DIRECTORY` to use to share blobs across OCI repositories")
	cmd.Flags().StringVar(&p.daemonHost, prefix+"daemon-host", "", "use docker daemon host at `HOST` (docker-daemon: only)")
}

// options turns the flags into those of the packages below.
func (p *place) options(g *global, retry cliflag.Retry, log io.Writer) (transport.Options, error) {
	o, err := p.Options()
	if err != nil {
		return transport.Options{}, err
	}
	o.Retries, o.RetryDelay, o.Log = retry.Times, retry.Delay, g.logTo(log)
	if g.userAgent != "" {
		o.UserAgent = g.userAgent + " " + o.UserAgent
	}
	return transport.Options{Config: g.cfg, Registry: o, SharedBlobDir: p.sharedBlobs, RegistriesDir: g.registriesDir, Places: &g.places, DaemonHost: p.daemonHost}, nil
}

// shareAuthFile gives the sides without a file of credentials of their own the
// one that --authfile names.
func shareAuthFile(authFile string, sides ...*place) {
	for _, side := range sides {
		if side.AuthFile == "" {
			side.AuthFile = authFile
		}
	}
}
