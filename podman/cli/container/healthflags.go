package container

import (
	"strconv"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

// bindHealth declares how a container's health is looked after, for create,
// run and update.
func bindHealth(cmd *cobra.Command, r *engine.HealthRequest) {
	fl := cmd.Flags()
	text := func(to **string, name, shown, usage string) { fl.Var(&optionalText{to, shown}, name, usage) }
	count := func(to **uint, name, shown, usage string) { fl.Var(&optionalUint{to, shown}, name, usage) }
	fl.BoolVar(&r.None, "no-healthcheck", false, "Disable healthchecks on container")
	text(&r.Cmd, "health-cmd", "", "set a healthcheck command for the container ('none' disables the existing healthcheck)")
	text(&r.Interval, "health-interval", "30s", "set an interval for the healthcheck. (a value of disable results in no automatic timer setup)")
	text(&r.Timeout, "health-timeout", "30s", "the maximum time allowed to complete the healthcheck before an interval is considered failed")
	text(&r.StartPeriod, "health-start-period", "0s", "the initialization time needed for a container to bootstrap")
	count(&r.Retries, "health-retries", "3", "the number of retries allowed before a healthcheck is considered to be unhealthy")
	text(&r.StartupCmd, "health-startup-cmd", "", "Set a startup healthcheck command for the container")
	text(&r.StartupInterval, "health-startup-interval", "30s", "Set an interval for the startup healthcheck. (a value of disable results in no automatic timer setup)")
	text(&r.StartupTimeout, "health-startup-timeout", "30s", "Set the maximum amount of time that the startup healthcheck may take before it is considered failed")
	count(&r.StartupRetries, "health-startup-retries", "0", "Set the maximum number of retries before the startup healthcheck will restart the container")
	count(&r.StartupSuccess, "health-startup-success", "0", "Set the number of consecutive successes before the startup healthcheck is marked as successful and the normal healthcheck begins (0 indicates any success will start the regular healthcheck)")
	text(&r.OnFailure, "health-on-failure", "none", "action to take once the container turns unhealthy")
	text(&r.LogDestination, "health-log-destination", "local", "set the destination of the HealthCheck log. Directory path, local or events_logger (local use container state file)")
	count(&r.MaxLogCount, "health-max-log-count", "5", "set maximum number of attempts in the HealthCheck log file. ('0' value means an infinite number of attempts in the log file)")
	count(&r.MaxLogSize, "health-max-log-size", "500", "set maximum length in characters of stored HealthCheck log. ('0' value means an infinite log length)")
}

// optionalText is a text that may not be given; shown stands for that in the
// help.
type optionalText struct {
	to    **string
	shown string
}

func (o *optionalText) String() string {
	if o.to == nil || *o.to == nil {
		return o.shown
	}
	return **o.to
}

func (o *optionalText) Set(s string) error {
	*o.to = &s
	return nil
}

func (o *optionalText) Type() string { return "string" }

// optionalUint is a number that may not be given; shown stands for that in
// the help.
type optionalUint struct {
	to    **uint
	shown string
}

func (o *optionalUint) String() string {
	if o.to == nil || *o.to == nil {
		return o.shown
	}
	return strconv.FormatUint(uint64(**o.to), 10)
}

func (o *optionalUint) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 31)
	u := uint(n)
	*o.to = &u
	return err
}

func (o *optionalUint) Type() string { return "uint" }

// NewHealthcheck is `podman healthcheck`.
func NewHealthcheck(a *app.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Manage health checks on containers",
		Long:  "Run health checks on containers",
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "run CONTAINER",
		Short:   "Run the health check of a container",
		Long:    "Runs the health check of a container once: status 0 says that it went well, 1 that it failed.",
		Args:    cobra.ExactArgs(1),
		Example: "  podman healthcheck run web",
		RunE: a.With(func(cmd *cobra.Command, e *engine.Engine, args []string) error {
			ok, err := e.RunHealthCheck(cmd.Context(), args[0])
			if err == nil && !ok {
				cmd.Println(engine.Unhealthy)
				return &errdef.Exit{Code: 1}
			}
			return err
		}),
	})
	return cmd
}
