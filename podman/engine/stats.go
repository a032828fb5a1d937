package engine

import (
	"errors"
	"io/fs"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"golang.org/x/sys/unix"
)

// Stats is what a container uses now. One that doesn't run uses nothing.
type Stats struct {
	ID, Name string
	Time     time.Time
	Started  time.Time // of the container; zero when it doesn't run
	runtime.Usage
}

// Stats measures a container.
func (e *Engine) Stats(nameOrID string) (Stats, error) {
	c, err := e.Lookup(nameOrID)
	if err != nil {
		return Stats{}, err
	}
	now := Stats{ID: c.ID, Name: firstName(c.Names), Time: time.Now()}
	s := e.status(c.ID)
	if s.State != Running && s.State != Paused {
		return now, nil
	}
	if config, err := e.configuration(c.ID); err == nil && config.Cgroups == container.CgroupsDisabled {
		return now, errdef.Newf(errdef.ErrUnsupported, "cannot measure container %s as it did not create a cgroup: this container does not have a cgroup", c.ID)
	}
	usage, err := runtime.ReadUsage(s.Pid)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) {
		return now, nil // it has ended meanwhile
	}
	if err != nil {
		return now, errdef.Newf(errdef.ErrUnsupported, "measure container %q: %w", now.Name, err)
	}
	now.Started, now.Usage = s.StartedAt, *usage
	return now, nil
}

// CPUPercent is the part of one processor that was used between two
// measurements; a zero earlier one stands for the container's start.
func (s *Stats) CPUPercent(before Stats) float64 {
	since := before.Time
	if since.IsZero() {
		since = s.Started
	}
	wall := s.Time.Sub(since)
	if wall <= 0 || s.CPU < before.CPU {
		return 0
	}
	return float64(s.CPU-before.CPU) / float64(wall) * 100
}

// MemoryPercent is the part of the limit that is used.
func (s *Stats) MemoryPercent() float64 {
	if s.MemoryLimit == 0 {
		return 0
	}
	return float64(s.Memory) / float64(s.MemoryLimit) * 100
}
