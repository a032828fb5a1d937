package container

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
)

// psRow gives the placeholders of ps --format.
type psRow struct {
	c     *engine.Container
	e     *engine.Engine
	whole bool
	sized bool
	size  engine.ContainerSize
}

func (r psRow) ID() string                { return shorten(r.c.ID, 12, r.whole) }
func (r psRow) Names() string             { return r.c.Name }
func (r psRow) Image() string             { return r.c.Image }
func (r psRow) ImageID() string           { return shorten(r.c.ImageID, 12, r.whole) }
func (r psRow) State() string             { return r.c.State }
func (r psRow) Pid() int                  { return r.c.Pid }
func (r psRow) ExitCode() int             { return r.c.ExitCode }
func (r psRow) AutoRemove() bool          { return r.c.AutoRemove }
func (r psRow) Exited() bool              { return r.c.State == engine.Exited }
func (r psRow) ExitedAt() int64           { return unixOf(r.c.ExitedAt) }
func (r psRow) StartedAt() int64          { return unixOf(r.c.StartedAt) }
func (r psRow) Labels() map[string]string { return r.c.Labels }
func (r psRow) Label(name string) string  { return r.c.Labels[name] }
func (r psRow) Mounts() string            { return "[" + strings.Join(r.c.Mounts, " ") + "]" }
func (r psRow) Pod() string               { return shorten(r.c.Summary.Pod, 12, r.whole) }
func (r psRow) PodName() string           { return r.c.PodName }
func (r psRow) IsInfra() bool             { return r.c.Infra }
func (r psRow) Restarts() int             { return r.e.RestartCount(r.c.ID) }
func (r psRow) CIDFile() string           { return r.c.CIDFile }
func (r psRow) ExposedPorts() string      { return strings.Join(r.c.Exposed, ", ") }
func (r psRow) Networks() string          { return strings.Join(r.c.Networks, ",") }
func (r psRow) Created() time.Time        { return r.c.CreatedTime() }
func (r psRow) CreatedAt() string {
	return r.c.CreatedTime().Format("2006-01-02 15:04:05.999999999 -0700 MST")
}
func (r psRow) CreatedHuman() string { return cliout.Ago(r.c.CreatedTime()) }
func (r psRow) RunningFor() string   { return r.CreatedHuman() }
func (r psRow) Ports() string        { return portsText(r.c.Ports, r.c.Exposed) }
func (r psRow) Command() string {
	text := strings.Join(r.c.Summary.Command, " ")
	if !r.whole && len([]rune(text)) > 17 {
		return string([]rune(text)[:17]) + "..."
	}
	return text
}

func (r psRow) Status() string {
	if health := r.e.Health(r.c); health != "" {
		return statusText(r.c) + " (" + health + ")"
	}
	return statusText(r.c)
}

// Size is "12.2kB (virtual 2.14MB)".
func (r psRow) Size() string {
	if !r.sized {
		return ""
	}
	return units.HumanSizeWithPrecision(float64(r.size.Changes), 3) + " (virtual " + units.HumanSizeWithPrecision(float64(r.size.Root), 3) + ")"
}

// The namespaces of the container's process, by their numbers.

func (r psRow) CGROUPNS() string { return r.namespace("cgroup") }
func (r psRow) IPC() string      { return r.namespace("ipc") }
func (r psRow) MNT() string      { return r.namespace("mnt") }
func (r psRow) NET() string      { return r.namespace("net") }
func (r psRow) PIDNS() string    { return r.namespace("pid") }
func (r psRow) USERNS() string   { return r.namespace("user") }
func (r psRow) UTS() string      { return r.namespace("uts") }

// namespace is the number of one of the process's namespaces.
func (r psRow) namespace(kind string) string {
	if r.c.Pid == 0 {
		return ""
	}
	link, err := os.Readlink("/proc/" + strconv.Itoa(r.c.Pid) + "/ns/" + kind)
	if err != nil {
		return ""
	}
	_, number, _ := strings.Cut(strings.TrimSuffix(link, "]"), "[")
	return number
}

func shorten(s string, n int, whole bool) string {
	if whole || len(s) <= n {
		return s
	}
	return s[:n]
}

func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return -62135596800
	}
	return t.Unix()
}

// statusText is the STATUS column: "Up 2 minutes", "Exited (0) 2 minutes ago".
func statusText(c *engine.Container) string {
	switch c.State {
	case engine.Running:
		return "Up " + cliout.HumanDuration(time.Since(c.StartedAt))
	case engine.Paused:
		return "Up " + cliout.HumanDuration(time.Since(c.StartedAt)) + " (Paused)"
	case engine.Exited:
		if c.ExitedAt.IsZero() {
			return "Exited (" + strconv.Itoa(c.ExitCode) + ")"
		}
		return "Exited (" + strconv.Itoa(c.ExitCode) + ") " + cliout.Ago(c.ExitedAt)
	case engine.Initialized:
		return "Initialized"
	case engine.Storage:
		return "Storage"
	}
	return "Created"
}
