package engine

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/event"
	"github.com/podsuite/podsuite/podman/engine/pod"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
)

// openEvents finds the file of events. Every backend but "none" is that file,
// journald too: events stay readable for whoever may use the store.
func (e *Engine) openEvents(c *config.Config) *event.Log {
	if c.Engine.EventsLogger == "none" {
		return new(event.Log)
	}
	path := c.Engine.EventsLogfilePath
	if path == "" {
		path = filepath.Join(e.Store.RunRoot(), "podman", "events.log")
	}
	return &event.Log{Path: path, Max: int64(c.Engine.EventsLogfileMaxSize)}
}

// event records what has happened. That it can't be recorded undoes nothing,
// so it is no error of the command's.
func (e *Engine) event(ev event.Event) {
	if err := e.events.Write(ev); err != nil {
		cliout.Warn(os.Stderr, "%v", err)
	}
}

func containerEvent(c *container.Config, status string) event.Event {
	ev := event.Event{Type: event.Container, Status: status, ID: c.ID, Name: c.Name, Image: c.Image, PodID: c.Pod, Attributes: c.Labels}
	if ev.Attributes == nil {
		ev.Attributes = map[string]string{}
	}
	return ev
}

// started records that a container was brought up.
func (e *Engine) started(c *container.Config, req StartRequest) {
	e.event(containerEvent(c, "init"))
	if req.CreateOnly {
		return
	}
	e.event(containerEvent(c, "start"))
	if req.Attach {
		e.event(containerEvent(c, "attach"))
	}
}

// diedEvent tells of the end of a container's process, when it was.
func diedEvent(c *container.Config, s Status) event.Event {
	ev := containerEvent(c, "died")
	ev.ContainerExitCode, ev.Time = &s.ExitCode, s.ExitedAt
	return ev
}

func imageEvent(id, name, status string) event.Event {
	return event.Event{Type: event.Image, Status: status, ID: id, Name: name}
}

// networkEvent tells of a network itself.
func networkEvent(n network.Network, status string) event.Event {
	return event.Event{Type: event.Network, Status: status, ID: n.ID, Name: n.Name, Attributes: map[string]string{"driver": n.Driver}}
}

func podEvent(p *pod.Pod, status string) event.Event {
	return event.Event{Type: event.Pod, Status: status, ID: p.ID, Name: p.Name}
}

func volumeEvent(name, status string) event.Event {
	return event.Event{Type: event.Volume, Status: status, Name: name}
}

// EventsRequest says which events are wanted.
type EventsRequest struct {
	Filters      []string
	Since, Until string
	Stream       bool
}

// Events passes events to each as they happen, or those that have happened.
func (e *Engine) Events(ctx context.Context, req EventsRequest, each func(*event.Event) error) error {
	if e.events.Path == "" {
		return errdef.Newf(errdef.ErrUnsupported, "cannot read events with the \"none\" backend")
	}
	filter, r, err := req.parse()
	if err != nil {
		return err
	}
	return e.events.Read(ctx, r, func(ev *event.Event) error {
		if !filter.Keeps(ev) {
			return nil
		}
		return each(ev)
	})
}

func (req *EventsRequest) parse() (event.Filter, event.Range, error) {
	const what = "failed to parse event filters: "
	filter := event.Filter{}
	for _, text := range req.Filters {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, event.Range{}, errdef.Newf(errdef.ErrInvalid, what+"%q is an invalid filter", text)
		}
		if key = strings.ToLower(key); !slices.Contains(event.FilterKeys(), key) {
			return nil, event.Range{}, errdef.Newf(errdef.ErrInvalid, what+"%s is an invalid filter", key)
		}
		filter[key] = append(filter[key], value)
	}
	r := event.Range{Follow: req.Stream}
	for _, t := range []struct {
		name, text string
		to         *time.Time
	}{{"since", req.Since, &r.Since}, {"until", req.Until, &r.Until}} {
		if t.text == "" {
			continue
		}
		var err error
		if *t.to, err = parseAround(t.name, t.text); err != nil {
			return nil, event.Range{}, errdef.Newf(errdef.ErrInvalid, what+"unable to convert %s time of %s: unable to interpret time value", t.name, t.text)
		}
	}
	if r.Follow && r.Since.IsZero() && r.Until.IsZero() {
		r.Since = time.Now() // what happens from here on
	}
	return filter, r, nil
}

// parseAround reads a time; one that is given as a duration lies back from
// now, but an end lies ahead.
func parseAround(name, text string) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && name == "until" {
		return time.Now().Add(d), nil
	}
	return ParseTime(text)
}
