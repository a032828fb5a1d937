package container

import (
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// LogFlags are the options of the commands that print logs: those of a
// container and of a pod.
type LogFlags struct {
	req                  engine.LogRequest
	since, until         string
	stamps, names, color bool
}

// Bind declares the options.
func (f *LogFlags) Bind(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.BoolVarP(&f.req.Follow, "follow", "f", false, "Follow log output")
	fl.IntVar(&f.req.Tail, "tail", -1, "Output the specified number of LINES at the end of the logs.  Defaults to -1, which prints all lines")
	fl.StringVar(&f.since, "since", "", "Show logs since TIMESTAMP")
	fl.StringVar(&f.until, "until", "", "Show logs until TIMESTAMP")
	fl.BoolVarP(&f.stamps, "timestamps", "t", false, "Output the timestamps in the log")
	fl.BoolVarP(&f.names, "names", "n", false, "Output the container name in the log")
	fl.BoolVar(&f.color, "color", false, "Output the containers with different colors in the log.")
}

// Parse reads the times.
func (f *LogFlags) Parse() error {
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"since", f.since, &f.req.Since}, {"until", f.until, &f.req.Until}} {
		if t.text == "" {
			continue
		}
		var err error
		if *t.to, err = engine.ParseTime(t.text); err != nil {
			return errdef.Newf(errdef.ErrInvalid, "parsing --%s %q: unable to interpret time value", t.flag, t.text)
		}
	}
	return nil
}

// NewLogs is `podman logs`.
func NewLogs(a *app.App) *cobra.Command {
	var pick choose
	f := new(LogFlags)
	cmd := &cobra.Command{
		Use:     "logs [options] CONTAINER [CONTAINER...]",
		Short:   "Fetch the logs of one or more containers",
		Long:    "Retrieves logs for one or more containers.",
		Example: "  podman logs web\n  podman logs --tail 2 -f web\n  podman logs --since 10m --color web db",
	}
	f.Bind(cmd)
	pick.bindLatest(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 && !pick.latest {
			return errdef.Newf(errdef.ErrInvalid, "specify at least one container name or ID to log")
		}
		if err := f.Parse(); err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		names, err := pick.names(e, args, nil)
		if err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		return f.Print(ctx, e, names, len(names) > 1)
	}
	return cmd
}

// Print prints the containers' logs one after the other; followed ones at the
// same time. Where told, lines begin with the name of their container, or its ID.
func (f *LogFlags) Print(ctx context.Context, e *engine.Engine, names []string, told bool) error {
	printers := make([]*logPrinter, len(names))
	screen := new(sync.Mutex)
	for i, name := range names {
		c, err := e.Lookup(name)
		if err != nil {
			return err
		}
		printers[i] = &logPrinter{mu: screen, stamps: f.stamps, begun: map[string]bool{}}
		if f.color {
			printers[i].color = colors(i)
		}
		switch {
		case told && f.names:
			printers[i].prefix = c.Names[0] + " "
		case told:
			printers[i].prefix = c.ID[:12] + " "
		}
	}
	if !f.req.Follow {
		for i, name := range names {
			if err := e.Logs(ctx, name, f.req, printers[i].print); err != nil {
				return err
			}
		}
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(func() error { return e.Logs(ctx, name, f.req, printers[i].print) })
	}
	return group.Wait()
}

// colors gives each container one of the terminal's colours in turn.
func colors(i int) string {
	return []string{"\x1b[37m", "\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[35m", "\x1b[36m", "\x1b[32m"}[i%7]
}

// logPrinter prints one container's log.
type logPrinter struct {
	mu            *sync.Mutex // of what all printers write to
	prefix, color string
	stamps        bool
	begun         map[string]bool // streams in the middle of a line
}

func (p *logPrinter) print(l engine.LogLine) error {
	var b strings.Builder
	b.WriteString(p.color)
	if !p.begun[l.Stream] {
		b.WriteString(p.prefix)
		if p.stamps {
			b.WriteString(l.Time.Format("2006-01-02T15:04:05.000000000Z07:00") + " ")
		}
	}
	b.WriteString(l.Text)
	if p.color != "" {
		b.WriteString("\x1b[0m")
	}
	if p.begun[l.Stream] = l.Partial; !l.Partial {
		b.WriteByte('\n')
	}
	var out io.Writer = os.Stdout
	if l.Stream == "stderr" {
		out = os.Stderr
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := io.WriteString(out, b.String())
	return err
}
