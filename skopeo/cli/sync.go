package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/podsuite/podsuite/shared/cliflag"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/transport"
	"github.com/podsuite/podsuite/skopeo/mirror"
)

// syncRequest is the command line of skopeo sync.
type syncRequest struct {
	sign       cliflag.Sign
	from, to   string // transports
	src, dest  place
	authFile   string
	retry      cliflag.Retry
	format     cliflag.Format
	progress   cliflag.Progress
	all        bool
	digestFile string
	target     mirror.Target
	opts       mirror.Options
}

func newSync(g *global) *cobra.Command {
	r := &syncRequest{}
	cmd := &cobra.Command{
		Use:   "sync [command options] --src TRANSPORT --dest TRANSPORT SOURCE DESTINATION",
		Short: "Synchronize one or more images from one location to another",
		Long: `Copy all the images from a SOURCE to a DESTINATION, without those that are there.

Allowed SOURCE transports (specified with --src): docker, dir, yaml.
Allowed DESTINATION transports (specified with --dest): docker, dir.

See skopeo-sync(1) for details.`,
		Example: "skopeo sync --src docker --dest dir registry.example.com/app /media/usb\nskopeo sync --src yaml --dest docker images.yaml mirror.example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cliout.UsageError(cmd, invalid("Exactly two arguments expected"))
			}
			return r.run(cmd, g, args[0], args[1])
		},
		DisableFlagsInUseLine: true,
	}
	f := cmd.Flags()
	r.src.bind(cmd, "src-")
	r.dest.bind(cmd, "dest-")
	r.retry.BindTimes(f)
	r.format.Bind(f)
	r.progress.BindMode(f)
	f.StringVar(&r.authFile, "authfile", "", "path of the registry credentials file. Default is ${XDG_RUNTIME_DIR}/containers/auth.json")
	f.BoolVarP(&r.all, "all", "a", false, "Copy all images if an image in the source is a list")
	f.StringVarP(&r.from, "src", "s", "", "SOURCE transport type")
	f.StringVarP(&r.to, "dest", "d", "", "DESTINATION transport type")
	f.BoolVar(&r.target.Scoped, "scoped", false, "Images at DESTINATION are prefixed with the full source image path")
	f.StringVar(&r.target.Suffix, "append-suffix", "", "String to append to DESTINATION tags")
	f.StringVar(&r.digestFile, "digestfile", "", "Write the digests and Image References of the resulting images to the specified file")
	f.BoolVar(&r.opts.Copy.PreserveDigests, "preserve-digests", false, "Preserve digests of images and lists")
	r.sign.Bind(f)
	r.sign.BindRemove(f)
	f.BoolVar(&r.opts.KeepGoing, "keep-going", false, "Do not abort the sync if any image copy fails")
	f.BoolVar(&r.opts.DryRun, "dry-run", false, "Run without actually copying data")
	return cmd
}

// complete checks the options and fills in what follows from them.
func (r *syncRequest) complete(g *global, cmd *cobra.Command, destination string) error {
	switch {
	case r.from == "":
		return invalid("A source transport must be specified")
	case r.from != ref.Docker && r.from != ref.Dir && r.from != "yaml":
		return invalid("%q is not a valid source transport", r.from)
	case r.to == "":
		return invalid("A destination transport must be specified")
	case r.to != ref.Docker && r.to != ref.Dir:
		return invalid("%q is not a valid destination transport", r.to)
	case r.from == r.to && r.from == ref.Dir:
		return invalid("sync from 'dir' to 'dir' not implemented, consider using rsync instead")
	}
	r.target.Transport, r.target.Place = r.to, destination
	shareAuthFile(r.authFile, &r.src, &r.dest)
	o := &r.opts.Copy
	o.Platform, o.Retries, o.RetryDelay = g.platform, r.retry.Times, r.retry.Delay
	if r.all {
		o.Multi = imgcopy.MultiAll
	}
	var err error
	if o.Format, err = r.format.Value(); err != nil {
		return err
	}
	if o.Policy, err = g.trustPolicy(); err != nil {
		return err
	}
	if o.Sign, err = r.sign.Value(); err != nil {
		return err
	}
	if o.Progress, err = r.progress.On(os.Stdout); err != nil {
		return err
	}
	if o.Source, err = r.src.options(g, r.retry, cmd.ErrOrStderr()); err != nil {
		return err
	}
	o.Destination, err = r.dest.options(g, r.retry, cmd.ErrOrStderr())
	return err
}

func (r *syncRequest) run(cmd *cobra.Command, g *global, source, destination string) (err error) {
	if err := r.complete(g, cmd, destination); err != nil {
		return err
	}
	log := &cliout.Log{W: cmd.ErrOrStderr()}
	if cliout.IsTerminal(os.Stdout) && cliout.IsTerminal(os.Stderr) {
		log.W = sayer{r.opts.Copy.Progress} // above the bars
	}
	list, err := r.sources(cmd.Context(), source, r.opts.Copy.Source)
	if err != nil {
		return err
	}
	for _, n := range list.Notes {
		log.Warn(n)
	}
	for _, p := range list.Problems {
		log.Error(p.Error())
	}
	if r.opts.DryRun {
		log.Warn("Running in dry-run mode")
	} else if r.digestFile != "" {
		f, err := os.Create(r.digestFile)
		if err != nil {
			return fmt.Errorf("Error creating digest file: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		r.opts.Digests = f
	}
	r.opts.Report = func(s mirror.Step) { tell(log, s) }
	sum, err := mirror.Run(cmd.Context(), list.Sources, r.target, r.opts)
	if err != nil {
		return missing(err, ref.Location{Transport: r.from})
	}
	verb := "Synced"
	if r.opts.DryRun {
		verb = "Would have synced"
	}
	log.Info(fmt.Sprintf("%s %d images from %d sources", verb, sum.Images, len(list.Sources)), "unchanged", fmt.Sprint(sum.Unchanged))
	if sum.Failed+len(list.Problems) > 0 {
		return errors.New("Sync failed due to previous reported error(s) for one or more images")
	}
	return nil
}

// sources finds the images.
func (r *syncRequest) sources(ctx context.Context, source string, o transport.Options) (*mirror.List, error) {
	if r.from == "yaml" {
		return mirror.FromYAML(ctx, source, o)
	}
	var s mirror.Source
	var err error
	if r.from == ref.Dir {
		if _, err := os.Stat(source); err != nil {
			return nil, fmt.Errorf("Invalid source directory specified: %w", err)
		}
		s, err = mirror.FromDir(source, o)
	} else {
		s, err = mirror.FromRegistry(ctx, source, o)
	}
	return &mirror.List{Sources: []mirror.Source{s}}, err
}

// tell logs what is done with an image.
func tell(log *cliout.Log, s mirror.Step) {
	place := []string{"from", s.From.String(), "to", s.To.String()}
	of := fmt.Sprintf("%d/%d", s.Number, s.Of)
	switch s.State {
	case mirror.Copying:
		log.Info("Copying image ref "+of, place...)
	case mirror.WouldCopy:
		log.Info("Would have copied image ref "+of, place...)
	case mirror.Unchanged:
		log.Info("Unchanged image ref "+of, place...)
	case mirror.CopyFailed:
		log.Error(fmt.Sprintf("Error copying ref %q", s.From), "error", s.Err.Error())
	}
}

// sayer writes lines above a display's bars.
type sayer struct{ shown cliout.Progress }

func (s sayer) Write(line []byte) (int, error) {
	s.shown.Say(string(line[:max(len(line)-1, 0)]))
	return len(line), nil
}
