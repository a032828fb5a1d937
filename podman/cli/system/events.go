package system

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/podman/engine/event"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/spf13/cobra"
)

// NewEvents is `podman events`.
func NewEvents(a *app.App) *cobra.Command {
	var req engine.EventsRequest
	var format string
	var noTrunc bool
	cmd := &cobra.Command{
		Use:     "events [options]",
		Short:   "Show podman system events",
		Long:    "Shows what happens to containers, images, volumes and the rest, as it happens, or what has happened.",
		Args:    cobra.NoArgs,
		Example: "  podman events\n  podman events --filter event=create\n  podman events --since 1h --stream=false",
	}
	f := cmd.Flags()
	f.StringArrayVarP(&req.Filters, "filter", "f", nil, "filter output")
	f.StringVar(&format, "format", "", "format the output using a Go template")
	f.BoolVar(&noTrunc, "no-trunc", true, "do not truncate the output")
	f.StringVar(&req.Since, "since", "", "show all events created since timestamp")
	f.BoolVar(&req.Stream, "stream", true, "stream events and do not exit when returning the last known event")
	f.StringVar(&req.Until, "until", "", "show all events until timestamp")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		show, err := eventPrinter(cmd.OutOrStdout(), format, noTrunc)
		if err != nil {
			return err
		}
		e, err := a.Engine()
		if err != nil {
			return err
		}
		defer e.Close()
		ctx, stop := cliout.Interruptible(cmd.Context())
		defer stop()
		return e.Events(ctx, req, show)
	}
	return cmd
}

// eventPrinter makes what prints an event in the format.
func eventPrinter(w io.Writer, format string, noTrunc bool) (func(*event.Event) error, error) {
	switch strings.TrimSpace(format) {
	case "":
		return func(ev *event.Event) error {
			shown := *ev
			if !noTrunc && len(shown.ID) > 12 {
				shown.ID = shown.ID[:12]
			}
			_, err := fmt.Fprintln(w, shown.String())
			return err
		}, nil
	case "json", "{{json .}}", "{{ json .}}", "{{ json . }}", "{{json . }}":
		return func(ev *event.Event) error { return printEventJSON(w, ev) }, nil
	}
	t, err := cliout.ParseTemplate("events", format)
	if err != nil {
		return nil, err
	}
	return func(ev *event.Event) error { return printEventTemplate(w, t, ev) }, nil
}

func printEventTemplate(w io.Writer, t *template.Template, ev *event.Event) error {
	var buf bytes.Buffer
	if err := t.Execute(&buf, eventRow{*ev}); err != nil {
		return err
	}
	buf.WriteByte('\n')
	_, err := w.Write(buf.Bytes())
	return err
}

// eventRow gives the placeholders of events --format.
type eventRow struct{ event.Event }

// Time is in seconds since 1970, TimeNano in nanoseconds.
func (r eventRow) Time() int64     { return r.Event.Time.Unix() }
func (r eventRow) TimeNano() int64 { return r.Event.Time.UnixNano() }

// eventJSON is a line of `events --format json`, with the reference's keys.
type eventJSON struct {
	ContainerExitCode *int   `json:",omitempty"`
	ID                string `json:",omitempty"`
	Image             string `json:",omitempty"`
	Name              string `json:",omitempty"`
	Network           string `json:",omitempty"`
	Status            string
	Time              int64 `json:"time"`
	TimeNano          int64 `json:"timeNano"`
	Type              string
	HealthStatus      string `json:"health_status,omitempty"`
	Error             string `json:",omitempty"`
	PodID             string `json:",omitempty"`
	Attributes        map[string]string

	ContainerInspectData string `json:",omitempty"`
}

func printEventJSON(w io.Writer, ev *event.Event) error {
	line, err := json.Marshal(eventJSON{ev.ContainerExitCode, ev.ID, ev.Image, ev.Name, ev.Network, ev.Status, ev.Time.Unix(), ev.Time.UnixNano(),
		ev.Type, ev.HealthStatus, ev.Error, ev.PodID, ev.Attributes, ev.ContainerInspectData})
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
