package engine

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
)

// ContainerFilter decides over containers: cheap things by their summary, the
// state next, for which files are read, and last what their configuration says.
type ContainerFilter struct {
	// States says whether a state is asked for: a listing of running
	// containers then looks at all.
	States bool

	summary []func(id, name string, s *container.Summary) bool
	status  []func(c *Container) bool
	config  []func(c *container.Config) bool
}

// ParseContainerFilters reads filters such as "status=exited". Those of one
// key are alternatives, except for labels, of which all must be there.
func (e *Engine) ParseContainerFilters(texts []string) (*ContainerFilter, error) {
	f := new(ContainerFilter)
	values := map[string][]string{}
	var keys []string
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid filter %q", text)
		}
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
		values[key] = append(values[key], value)
	}
	for _, key := range keys {
		if err := e.addFilter(f, key, values[key]); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// addFilter adds one key's test.
func (e *Engine) addFilter(f *ContainerFilter, key string, values []string) error {
	any := func(holds func(string) bool) bool { return slices.ContainsFunc(values, holds) }
	switch key {
	case "id":
		f.addSummary(func(id, _ string, _ *container.Summary) bool {
			return any(func(v string) bool { return strings.HasPrefix(id, strings.TrimPrefix(strings.ToLower(v), "^")) })
		})
	case "name":
		patterns, err := patterns(values)
		if err != nil {
			return err
		}
		f.addSummary(func(_, name string, _ *container.Summary) bool { return matchesAny(patterns, name) })
	case "label":
		f.addSummary(func(_, _ string, s *container.Summary) bool { return hasLabels(s.Labels, values) })
	case "label!":
		f.addSummary(func(_, _ string, s *container.Summary) bool {
			return !any(func(v string) bool { return hasLabels(s.Labels, []string{v}) })
		})
	case "command":
		f.addSummary(func(_, _ string, s *container.Summary) bool {
			return len(s.Command) > 0 && any(func(v string) bool { return s.Command[0] == v })
		})
	case "ancestor":
		return e.addAncestor(f, values)
	case "status":
		return f.addStates(values)
	case "exited":
		return f.addExited(values)
	case "before", "since", "until":
		return e.addTime(f, key, values)
	case "network":
		return e.addNetwork(f, values)
	case "volume":
		f.config = append(f.config, func(c *container.Config) bool { return any(func(v string) bool { return mountsVolume(c, v) }) })
	case "restart-policy":
		f.config = append(f.config, func(c *container.Config) bool {
			return any(func(v string) bool { return v == first(c.Restart.Policy, "no") })
		})
	case "pod":
		f.addSummary(func(_, _ string, s *container.Summary) bool {
			return s.Pod != "" && any(func(v string) bool { return v != "" && (s.PodName == v || strings.HasPrefix(s.Pod, v)) })
		})
	case "health":
		return e.addHealth(f, values)
	case "should-start-on-boot":
		return e.addStartOnBoot(f, values)
	default:
		return errdef.Newf(errdef.ErrInvalid, "%s is an invalid filter", key)
	}
	return nil
}

func (f *ContainerFilter) addSummary(test func(id, name string, s *container.Summary) bool) {
	f.summary = append(f.summary, test)
}

// patterns compiles what users give as regular expressions.
func patterns(values []string) ([]*regexp.Regexp, error) {
	list := make([]*regexp.Regexp, len(values))
	for i, v := range values {
		p, err := regexp.Compile(v)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid filter %q: %w", v, err)
		}
		list[i] = p
	}
	return list, nil
}

func matchesAny(patterns []*regexp.Regexp, s string) bool {
	return slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(s) })
}

// hasLabels says whether all of the labels, KEY or KEY=VALUE, are there.
func hasLabels(have map[string]string, wanted []string) bool {
	for _, label := range wanted {
		key, value, hasValue := strings.Cut(label, "=")
		if v, ok := have[key]; !ok || hasValue && v != value {
			return false
		}
	}
	return true
}

// addAncestor matches an image by name or ID.
func (e *Engine) addAncestor(f *ContainerFilter, values []string) error {
	byID := map[string]string{}
	f.status = append(f.status, func(c *Container) bool {
		return slices.ContainsFunc(values, func(v string) bool {
			if c.Image == v || strings.HasSuffix(c.Image, "/"+v) || strings.HasSuffix(c.Image, "/"+v+":latest") || c.Image == v+":latest" {
				return true
			}
			id, asked := byID[v]
			if !asked {
				if image, err := e.LookupImage(v); err == nil {
					id = image.ID
				}
				byID[v] = id
			}
			return id != "" && id == c.ImageID
		})
	})
	return nil
}

func (f *ContainerFilter) addStates(values []string) error {
	for _, v := range values {
		switch v {
		case "created", "initialized", "running", "paused", "exited", "stopped", "stopping", "removing", "unknown":
		default:
			return errdef.Newf(errdef.ErrInvalid, "unknown container state: %s: invalid argument", v)
		}
	}
	f.States = true
	f.status = append(f.status, func(c *Container) bool {
		return slices.ContainsFunc(values, func(v string) bool { return c.State == v || v == "stopped" && c.State == Exited })
	})
	return nil
}

func (f *ContainerFilter) addExited(values []string) error {
	codes := make([]int, len(values))
	for i, v := range values {
		n, err := strconv.Atoi(v)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "exited code out of range %q: %w", v, err)
		}
		codes[i] = n
	}
	f.States = true
	f.status = append(f.status, func(c *Container) bool { return c.State == Exited && slices.Contains(codes, c.ExitCode) })
	return nil
}

// addTime compares the time of creation with another container's, or with a
// point in time.
func (e *Engine) addTime(f *ContainerFilter, key string, values []string) error {
	for _, v := range values {
		var at time.Time
		if key == "until" {
			var err error
			if at, err = parseUntil(v); err != nil {
				return err
			}
		} else {
			other, err := e.Lookup(v)
			if err != nil {
				return err
			}
			s, _ := summary(other)
			at = time.Unix(0, s.Created)
		}
		f.addSummary(func(_, _ string, s *container.Summary) bool {
			if key == "since" {
				return s.Created > at.UnixNano()
			}
			return s.Created < at.UnixNano()
		})
	}
	return nil
}

func (e *Engine) addNetwork(f *ContainerFilter, values []string) error {
	f.config = append(f.config, func(c *container.Config) bool {
		return slices.ContainsFunc(values, func(v string) bool {
			if _, ok := c.Network.Networks[v]; ok || c.Network.Mode == v {
				return true
			}
			other, ok := strings.CutPrefix(v, "container:")
			target, is := strings.CutPrefix(c.Network.Mode, "container:")
			return ok && is && (other == target || strings.HasPrefix(target, other))
		})
	})
	return nil
}

// mountsVolume says whether the container mounts the volume, or something at
// the path, [NAME|SOURCE][:DESTINATION].
func mountsVolume(c *container.Config, v string) bool {
	source, dest, both := strings.Cut(v, ":")
	return slices.ContainsFunc(c.Mounts, func(m container.Mount) bool {
		if both {
			return (m.Name == source || m.Source == source) && m.Destination == dest
		}
		return m.Name == v || m.Source == v || m.Destination == v
	})
}

func (e *Engine) addHealth(f *ContainerFilter, values []string) error {
	for _, v := range values {
		switch v {
		case "healthy", "unhealthy", "starting", "stopped", "none":
		default:
			return errdef.Newf(errdef.ErrInvalid, "unknown health status %q: choose healthy, unhealthy, starting or none", v)
		}
	}
	f.status = append(f.status, func(c *Container) bool {
		return slices.Contains(values, first(e.Health(c), "none"))
	})
	return nil
}

func (e *Engine) addStartOnBoot(f *ContainerFilter, values []string) error {
	for _, v := range values {
		want, err := strconv.ParseBool(v)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid value %q for should-start-on-boot: choose true or false", v)
		}
		f.config = append(f.config, func(c *container.Config) bool {
			p := c.Restart.Policy
			return want == (p == "always" || p == "unless-stopped" && !e.restarts(c.ID).Stopped)
		})
	}
	return nil
}

// Filter lists the containers that the filter keeps, the oldest first.
func (e *Engine) Filter(f *ContainerFilter) ([]Container, error) {
	list, err := e.List(func(id, name string, s *container.Summary) bool {
		for _, holds := range f.summary {
			if !holds(id, name, s) {
				return false
			}
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	kept := list[:0]
	for i := range list {
		ok, err := e.filterOne(f, &list[i])
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, list[i])
		}
	}
	return kept, nil
}

func (e *Engine) filterOne(f *ContainerFilter, c *Container) (bool, error) {
	for _, holds := range f.status {
		if !holds(c) {
			return false, nil
		}
	}
	if len(f.config) == 0 {
		return true, nil
	}
	config, err := e.configuration(c.ID)
	if isNotFound(err) {
		return false, nil // removed meanwhile
	}
	if err != nil {
		return false, err
	}
	for _, holds := range f.config {
		if !holds(config) {
			return false, nil
		}
	}
	return true, nil
}

// ParseTime reads a point in time: RFC 3339, a date, seconds since 1970, or
// how long ago it was (10m).
func ParseTime(s string) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return time.Now().Add(-d), nil
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return time.Unix(0, int64(f*float64(time.Second))), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02", "2006-01-02 15:04:05.999999999 -0700 MST"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errdef.Newf(errdef.ErrInvalid, "unable to interpret time value %q", s)
}
