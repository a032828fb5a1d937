package event

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The types of objects that events are about.
const (
	Container = "container"
	Image     = "image"
	Network   = "network"
	Pod       = "pod"
	Secret    = "secret"
	System    = "system"
	Volume    = "volume"
)

// Event is one thing that happened. Its JSON is a line of the log.
type Event struct {
	ContainerExitCode   *int `json:",omitempty"`
	ID                  string
	Image               string            `json:",omitempty"` // of a container
	Name                string            `json:",omitempty"`
	Network             string            `json:",omitempty"`
	Status              string            // what happened: create, start, died …
	Time                time.Time         // UTC
	Type                string            // of the object
	PodID               string            `json:",omitempty"`
	HealthStatus        string            `json:"health_status,omitempty"`
	HealthFailingStreak int               `json:"health_failing_streak,omitempty"`
	HealthLog           string            `json:"health_log,omitempty"`
	Error               string            `json:",omitempty"`
	Attributes          map[string]string // a container's labels
	// ContainerInspectData is what inspect says of a new container, as JSON,
	// if the configuration wants it in the log.
	ContainerInspectData string `json:",omitempty"`
}

// String is the event as people read it.
func (e *Event) String() string {
	at := e.Time.Format("2006-01-02 15:04:05.999999999 -0700 MST")
	switch e.Type {
	case Container, Pod:
		return fmt.Sprintf("%s %s %s %s (%s)", at, e.Type, e.Status, e.ID, e.details())
	case Network:
		if driver, ok := e.Attributes["driver"]; ok {
			return fmt.Sprintf("%s %s %s %s (name=%s, type=%s)", at, e.Type, e.Status, e.ID, e.Name, driver)
		}
		return fmt.Sprintf("%s %s %s %s (container=%s, name=%s)", at, e.Type, e.Status, e.ID, e.ID, e.Network)
	case Image:
		return fmt.Sprintf("%s %s %s %s %s", at, e.Type, e.Status, e.ID, e.Name)
	case System:
		if e.Name != "" {
			return fmt.Sprintf("%s %s %s %s", at, e.Type, e.Name, e.Status)
		}
		return fmt.Sprintf("%s %s %s", at, e.Type, e.Status)
	case Secret:
		return fmt.Sprintf("%s %s %s %s", at, e.Type, e.Status, e.ID)
	}
	return fmt.Sprintf("%s %s %s %s", at, e.Type, e.Status, e.Name)
}

func (e *Event) details() string {
	parts := []string{"image=" + e.Image, "name=" + e.Name}
	if e.PodID != "" {
		parts = append(parts, "pod_id="+e.PodID)
	}
	if e.HealthStatus != "" {
		parts = append(parts, "health_status="+e.HealthStatus, fmt.Sprintf("health_failing_streak=%d", e.HealthFailingStreak), "health_log="+e.HealthLog)
	}
	for _, key := range slices.Sorted(maps.Keys(e.Attributes)) {
		parts = append(parts, key+"="+e.Attributes[key])
	}
	return strings.Join(parts, ", ")
}

// Filter keeps the events that all keys accept; the values of one key are
// alternatives.
type Filter map[string][]string

// Keeps decides over one event.
func (f Filter) Keeps(e *Event) bool {
	for key, values := range f {
		if !slices.ContainsFunc(values, func(v string) bool { return e.matches(key, v) }) {
			return false
		}
	}
	return true
}

func (e *Event) matches(key, value string) bool {
	named := func(kind string) bool {
		return e.Type == kind && (e.Name == value || value != "" && strings.HasPrefix(e.ID, value))
	}
	switch key {
	case "container":
		return named(Container)
	case "image":
		if e.Type == Container {
			return e.Image == value || strings.HasSuffix(e.Image, "/"+value) || strings.HasSuffix(e.Image, "/"+value+":latest")
		}
		return named(Image)
	case "pod":
		return named(Pod) || value != "" && strings.HasPrefix(e.PodID, value)
	case "volume":
		return named(Volume)
	case "event", "status":
		return e.Status == value || value == "die" && e.Status == "died" || value == "delete" && e.Status == "remove"
	case "type":
		return e.Type == value
	case "label":
		name, want, hasValue := strings.Cut(value, "=")
		have, ok := e.Attributes[name]
		return ok && (!hasValue || have == want)
	}
	return false
}

// FilterKeys are the keys that a Filter knows.
func FilterKeys() []string {
	return []string{"container", "event", "image", "label", "pod", "status", "type", "volume"}
}
