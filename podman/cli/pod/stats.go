package pod

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/docker/go-units"
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

type statsFlags struct {
	choose
	format            string
	noReset, noStream bool
}

// newStats is `podman pod stats`.
func newStats(a *app.App) *cobra.Command {
	f := new(statsFlags)
	cmd := &cobra.Command{
		Use:     "stats [options] [POD...]",
		Short:   "Display a live stream of resource usage statistics for the containers in one or more pods",
		Long:    "Shows how much processor time, memory, network and disk the containers of pods use, again and again.",
		Example: "  podman pod stats --no-stream\n  podman pod stats web\n  podman pod stats --no-stream --format \"table {{.Name}} {{.MemUsage}}\" web",
	}
	f.bind(cmd, "Provide stats for")
	cmd.Flags().StringVar(&f.format, "format", "", "Pretty-print container statistics to JSON or using a Go template")
	cmd.Flags().BoolVar(&f.noReset, "no-reset", false, "Disable resetting the screen when streaming")
	cmd.Flags().BoolVar(&f.noStream, "no-stream", false, "Disable streaming stats and only pull the first result")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if f.all && f.latest || (f.all || f.latest) && len(args) > 0 {
			return errdef.Newf(errdef.ErrInvalid, "--all, --latest and arguments cannot be used together")
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		return f.run(ctx, cmd, e, args)
	})
	return cmd
}

// run measures and prints until it is told to end.
func (f *statsFlags) run(ctx context.Context, cmd *cobra.Command, e *engine.Engine, args []string) error {
	const interval = 5 * time.Second
	screen := cliout.NewScreen(cmd.OutOrStdout())
	before := map[string]engine.Stats{}
	show := func() error {
		rows, err := f.measure(e, args, before)
		if err != nil {
			return err
		}
		if !f.noReset && !f.noStream {
			screen.Begin()
		}
		return f.print(cmd, rows)
	}
	if f.noStream {
		return show()
	}
	return cliout.Repeat(ctx, interval, show)
}

// measure makes a row for each container of the pods that are asked for, or of
// all.
func (f *statsFlags) measure(e *engine.Engine, args []string, before map[string]engine.Stats) ([]statsRow, error) {
	pick := choose{all: len(args) == 0 && !f.latest, latest: f.latest}
	names, err := pick.names(e, args, nil)
	if err != nil {
		return nil, err
	}
	rows := []statsRow{}
	for _, name := range names {
		p, err := e.Pod(name)
		if errors.Is(err, errdef.ErrNotFound) && pick.all {
			continue // it went meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("unable to get list of pods: %w", err)
		}
		for _, c := range p.Containers {
			now, err := e.Stats(c.ID)
			if errors.Is(err, errdef.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			rows = append(rows, newStatsRow(p, now, before[now.ID]))
			before[now.ID] = now
		}
	}
	return rows, nil
}

// statsRow is a row of pod stats, with the reference's keys and names.
type statsRow struct {
	CPU           string
	MemUsage      string
	MemUsageBytes string
	Mem           string
	NetIO         string
	BlockIO       string
	PIDS          string
	Pod           string
	CID           string
	Name          string
}

func newStatsRow(p *engine.Pod, now, before engine.Stats) statsRow {
	const short = 12
	r := statsRow{CPU: percent(now.CPUPercent(before)), Mem: percent(now.MemoryPercent()), PIDS: strconv.FormatUint(now.Pids, 10),
		MemUsage: sizes(now.Memory, now.MemoryLimit), BlockIO: sizes(now.BlockInput, now.BlockOutput), Pod: p.ID[:short], CID: now.ID[:short], Name: now.Name,
		MemUsageBytes: units.BytesSize(float64(now.Memory)) + " / " + units.BytesSize(float64(now.MemoryLimit))}
	var rx, tx uint64
	for _, t := range now.Network {
		rx += t.RxBytes
		tx += t.TxBytes
	}
	r.NetIO = sizes(rx, tx)
	if now.Started.IsZero() {
		r.CPU, r.Mem, r.PIDS, r.MemUsage, r.NetIO, r.BlockIO = "--", "--", "--", "-- / --", "-- / --", "-- / --"
	}
	return r
}

func percent(p float64) string { return strconv.FormatFloat(p, 'f', 2, 64) + "%" }

// sizes is a pair of sizes; two that are nothing are not told.
func sizes(a, b uint64) string {
	if a == 0 && b == 0 {
		return "-- / --"
	}
	return units.HumanSizeWithPrecision(float64(a), 4) + " / " + units.HumanSizeWithPrecision(float64(b), 4)
}

func (f *statsFlags) print(cmd *cobra.Command, rows []statsRow) error {
	if f.format == "json" {
		const indent = 5
		return cliout.JSON(cmd.OutOrStdout(), rows, indent)
	}
	const table = "table {{.Pod}}\t{{.CID}}\t{{.Name}}\t{{.CPU}}\t{{.MemUsage}}\t{{.Mem}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDS}}"
	headers := map[string]string{"CPU": "CPU %", "MemUsage": "MEM USAGE/ LIMIT", "MemUsageBytes": "MEM USAGE/ LIMIT", "Mem": "MEM %", "NetIO": "NET IO", "BlockIO": "BLOCK IO"}
	return cliout.Rows(cmd.OutOrStdout(), f.format, table, headers, rows, cliout.RowsOptions{Name: "pod stats"})
}
