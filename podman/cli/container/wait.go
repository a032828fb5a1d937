package container

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

type waitFlags struct {
	choose
	req      engine.WaitRequest
	interval string
	first    bool
}

// NewWait is `podman wait`.
func NewWait(a *app.App) *cobra.Command {
	f := new(waitFlags)
	cmd := &cobra.Command{
		Use:     "wait [options] CONTAINER [CONTAINER...]",
		Short:   "Block on one or more containers",
		Long:    "Block until one or more containers stop and then print their exit codes.",
		Example: "  podman wait web\n  podman wait --condition running --interval 1s web\n  podman wait --exit-first-match web db",
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.req.Conditions, "condition", nil, "Condition to wait on")
	fl.BoolVar(&f.first, "exit-first-match", false, "Wait for exit of first container which matches conditions, ignore other ones")
	fl.BoolVar(&f.first, "return-first", false, "Wait for exit of first container which matches conditions, ignore other ones")
	_ = fl.MarkHidden("return-first")
	fl.BoolVar(&f.req.Ignore, "ignore", false, "Ignore if a container does not exist")
	fl.StringVarP(&f.interval, "interval", "i", "250ms", "Time Interval to wait before polling for completion")
	f.bindLatest(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 && !f.latest {
			return errdef.Newf(errdef.ErrInvalid, "%q requires a name, id, or the \"--latest\" flag", cmd.CommandPath())
		}
		if err := f.parse(); err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		names, err := f.choose.names(e, args, nil)
		if err != nil {
			return err
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		if f.first {
			return f.runFirst(ctx, cmd, e, names)
		}
		for _, name := range names {
			status, err := e.Wait(ctx, name, f.req)
			if err != nil {
				return interrupted(err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), status)
		}
		return nil
	}
	return cmd
}

// parse reads the interval: a duration, or a number of milliseconds.
func (f *waitFlags) parse() error {
	if err := engine.CheckConditions(f.req.Conditions); err != nil {
		return err
	}
	d, err := time.ParseDuration(f.interval)
	if err != nil {
		ms, nerr := strconv.Atoi(f.interval)
		if nerr != nil {
			return errdef.As(errdef.ErrInvalid, err)
		}
		d = time.Duration(ms) * time.Millisecond
	}
	if d <= 0 {
		return errdef.Newf(errdef.ErrInvalid, "invalid --interval %q: it must be more than nothing", f.interval)
	}
	f.req.Interval = d
	return nil
}

// runFirst waits for the first of the containers.
func (f *waitFlags) runFirst(ctx context.Context, cmd *cobra.Command, e *engine.Engine, names []string) error {
	type result struct {
		status int
		err    error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result, len(names))
	for _, name := range names {
		go func() {
			status, err := e.Wait(ctx, name, f.req)
			results <- result{status, err}
		}()
	}
	r := <-results
	if r.err != nil {
		return interrupted(r.err)
	}
	fmt.Fprintln(cmd.OutOrStdout(), r.status)
	return nil
}

// interrupted gives what a signal ended the status that a shell would.
func interrupted(err error) error {
	if errors.Is(err, context.Canceled) {
		return &errdef.Exit{Code: 130}
	}
	return err
}
