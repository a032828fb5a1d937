package container

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/docker/go-units"
	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/spf13/cobra"
)

type statsFlags struct {
	choose
	format                     string
	interval                   int
	noReset, noStream, noTrunc bool
}

// NewStats is `podman stats`.
func NewStats(a *app.App) *cobra.Command {
	f := new(statsFlags)
	cmd := &cobra.Command{
		Use:     "stats [options] [CONTAINER...]",
		Short:   "Display a live stream of container resource usage statistics",
		Long:    "Shows how much processor time, memory, network and disk containers use, again and again.",
		Example: "  podman stats --all --no-stream\n  podman stats web\n  podman stats --no-stream --format \"table {{.ID}} {{.Name}} {{.MemUsage}}\" web",
	}
	fl := cmd.Flags()
	f.bind(cmd)
	fl.StringVar(&f.format, "format", "", "Pretty-print container statistics to JSON or using a Go template")
	fl.IntVarP(&f.interval, "interval", "i", 5, "Time in seconds between stats reports")
	fl.BoolVar(&f.noReset, "no-reset", false, "Disable resetting the screen between intervals")
	fl.BoolVar(&f.noStream, "no-stream", false, "Disable streaming stats and only pull the first result, default setting is false")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "Do not truncate output")
	cmd.RunE = a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
		if f.interval < 1 {
			return errdef.Newf(errdef.ErrInvalid, "invalid interval %d: it must be at least 1", f.interval)
		}
		if f.all && f.latest || (f.all || f.latest) && len(args) > 0 {
			return errdef.Newf(errdef.ErrInvalid, "--all, --latest and containers cannot be used together")
		}
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		return f.run(ctx, cmd, e, args)
	})
	return cmd
}

// run measures and prints until it is told to end.
func (f *statsFlags) run(ctx context.Context, cmd *cobra.Command, e *engine.Engine, args []string) error {
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
	return cliout.Repeat(ctx, time.Duration(f.interval)*time.Second, show)
}

// measure makes a row for each container that is asked for: those that are
// named, the latest, all, or those that run.
func (f *statsFlags) measure(e *engine.Engine, args []string, before map[string]engine.Stats) ([]statsRow, error) {
	names := args
	if len(args) == 0 {
		pick := choose{all: !f.latest, latest: f.latest}
		var err error
		if names, err = pick.names(e, nil, func(c *engine.Container) bool { return f.all || c.State == engine.Running }); err != nil {
			return nil, err
		}
	}
	rows := []statsRow{}
	for _, name := range names {
		now, err := e.Stats(name)
		if err != nil {
			if len(args) == 0 {
				continue // it went meanwhile
			}
			return nil, fmt.Errorf("unable to get list of containers: unable to look up container %s: %w", name, err)
		}
		rows = append(rows, newStatsRow(now, before[now.ID], f.noTrunc))
		before[now.ID] = now
	}
	return rows, nil
}

func (f *statsFlags) print(cmd *cobra.Command, rows []statsRow) error {
	if f.format == "json" {
		list := make([]statsJSON, len(rows))
		for i := range rows {
			list[i] = rows[i].json()
		}
		return cliout.JSON(cmd.OutOrStdout(), list, 1)
	}
	const table = "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDS}}\t{{.UpTime}}\t{{.AVGCPU}}"
	headers := map[string]string{"ID": "ID", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT", "MemUsageBytes": "MEM USAGE / LIMIT", "MemPerc": "MEM %",
		"NetIO": "NET IO", "BlockIO": "BLOCK IO", "PIDS": "PIDS", "UpTime": "CPU TIME", "AVGCPU": "AVG CPU %"}
	return cliout.Rows(cmd.OutOrStdout(), f.format, table, headers, rows, cliout.RowsOptions{Name: "stats"})
}

// statsRow is a row of stats, with the names that templates use.
type statsRow struct {
	AvgCPU                  float64
	ContainerID             string
	Name                    string
	PerCPU                  []uint64
	CPU                     float64
	CPUNano                 uint64
	CPUSystemNano           uint64
	SystemNano              int64
	memUsage                uint64
	MemLimit                uint64
	memPerc                 float64
	Network                 map[string]runtime.Traffic
	BlockInput, BlockOutput uint64
	PIDs                    uint64
	Duration                uint64
	whole                   bool
}

func newStatsRow(now, before engine.Stats, whole bool) statsRow {
	return statsRow{AvgCPU: now.CPUPercent(engine.Stats{}), ContainerID: now.ID, Name: now.Name, PerCPU: now.PerCPU, CPU: now.CPUPercent(before),
		CPUNano: now.CPU, CPUSystemNano: now.CPUSystem, SystemNano: now.Time.UnixNano(), memUsage: now.Memory, MemLimit: now.MemoryLimit,
		memPerc: now.MemoryPercent(), Network: now.Network, BlockInput: now.BlockInput, BlockOutput: now.BlockOutput, PIDs: now.Pids,
		Duration: now.CPU, whole: whole}
}

func percent(p float64) string { return strconv.FormatFloat(p, 'f', 2, 64) + "%" }

func pair(a, b uint64) string {
	return units.HumanSizeWithPrecision(float64(a), 4) + " / " + units.HumanSizeWithPrecision(float64(b), 4)
}

// The columns.

func (r statsRow) ID() string       { return shorten(r.ContainerID, 12, r.whole) }
func (r statsRow) CPUPerc() string  { return percent(r.CPU) }
func (r statsRow) AVGCPU() string   { return percent(r.AvgCPU) }
func (r statsRow) MemUsage() string { return pair(r.memUsage, r.MemLimit) }
func (r statsRow) MemPerc() string  { return percent(r.memPerc) }
func (r statsRow) BlockIO() string  { return pair(r.BlockInput, r.BlockOutput) }
func (r statsRow) PIDS() string     { return strconv.FormatUint(r.PIDs, 10) }
func (r statsRow) MemUsageBytes() string {
	return units.BytesSize(float64(r.memUsage)) + " / " + units.BytesSize(float64(r.MemLimit))
}
func (r statsRow) NetIO() string {
	var rx, tx uint64
	for _, t := range r.Network {
		rx += t.RxBytes
		tx += t.TxBytes
	}
	return pair(rx, tx)
}

// UpTime is the processor time that the container has used; Up is its other
// name.
func (r statsRow) UpTime() string { return time.Duration(r.Duration).String() }
func (r statsRow) Up() string     { return r.UpTime() }

// MarshalJSON is what {{json .}} prints of a row.
func (r statsRow) MarshalJSON() ([]byte, error) {
	type plain statsRow // without this method
	return json.Marshal(struct {
		plain
		MemUsage uint64
		MemPerc  float64
		UpTime   uint64
	}{plain(r), r.memUsage, r.memPerc, r.Duration})
}

// statsJSON is an element of `stats --format json`, with the reference's keys.
type statsJSON struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	CPUTime    string `json:"cpu_time"`
	CPUPercent string `json:"cpu_percent"`
	AvgCPU     string `json:"avg_cpu"`
	MemUsage   string `json:"mem_usage"`
	MemPercent string `json:"mem_percent"`
	NetIO      string `json:"net_io"`
	BlockIO    string `json:"block_io"`
	Pids       string `json:"pids"`
}

func (r statsRow) json() statsJSON {
	return statsJSON{r.ID(), r.Name, r.UpTime(), r.CPUPerc(), r.AVGCPU(), r.MemUsage(), r.MemPerc(), r.NetIO(), r.BlockIO(), r.PIDS()}
}
