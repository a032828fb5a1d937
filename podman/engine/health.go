package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
)

// What a health check has where nobody says otherwise.
const (
	defaultInterval = 30 * time.Second
	defaultTimeout  = 30 * time.Second
	defaultRetries  = 3
	defaultLogCount = 5
	defaultLogSize  = 500
)

// setHealth makes the health check of a new container.
func setHealth(c *container.Config, req *HealthRequest, image *HealthCheck) error {
	if req.None && req.Cmd != nil {
		return errdef.Newf(errdef.ErrInvalid, "cannot specify both --no-healthcheck and --health-cmd")
	}
	if image != nil && len(image.Test) > 0 {
		c.Health.Check = &container.Check{Test: image.Test, Interval: orElse(image.Interval, defaultInterval), Timeout: orElse(image.Timeout, defaultTimeout),
			StartPeriod: image.StartPeriod, StartInterval: image.StartInterval, Retries: orElse(image.Retries, defaultRetries)}
	}
	return updateHealth(c, req)
}

func orElse[T comparable](value, other T) T {
	var none T
	if value == none {
		return other
	}
	return value
}

// updateHealth puts what is asked for over the container's health checks.
func updateHealth(c *container.Config, req *HealthRequest) error {
	h := &c.Health
	if req.None {
		if *req != (HealthRequest{None: true}) {
			return errdef.Newf(errdef.ErrInvalid, "cannot specify both --no-healthcheck and other HealthCheck flags")
		}
		*h = container.Health{Check: &container.Check{Test: []string{"NONE"}}}
		return nil
	}
	if req.Cmd != nil {
		check := container.Check{Interval: defaultInterval, Timeout: defaultTimeout, Retries: defaultRetries}
		if h.Checked() {
			check = *h.Check
		}
		check.Test = parseTest(*req.Cmd)
		h.Check = &check
		if !h.Checked() {
			h.Startup, h.OnFailure = nil, "" // they go with it
		}
	}
	if h.Checked() {
		if err := setCheck(h.Check, "healthcheck", req.Interval, req.Timeout, req.Retries); err != nil {
			return err
		}
		if err := setStartPeriod(h.Check, req.StartPeriod); err != nil {
			return err
		}
	} else if req.Interval != nil || req.Timeout != nil || req.Retries != nil || req.StartPeriod != nil {
		return errdef.Newf(errdef.ErrInvalid, "healthcheck command is not set: use --health-cmd")
	}
	if err := setStartup(h, req); err != nil {
		return err
	}
	if err := setHealthLog(h, req); err != nil {
		return err
	}
	return setOnFailure(h, req.OnFailure)
}

// parseTest reads a command: none, a JSON list of arguments, or a line for the
// shell.
func parseTest(text string) []string {
	if strings.EqualFold(text, "none") {
		return []string{"NONE"}
	}
	var words []string
	if json.Unmarshal([]byte(text), &words) == nil && len(words) > 0 {
		switch words[0] {
		case "CMD", "CMD-SHELL", "NONE":
			return words
		}
		return append([]string{"CMD"}, words...)
	}
	return []string{"CMD-SHELL", strings.TrimPrefix(text, "CMD-SHELL ")}
}

func setCheck(check *container.Check, what string, interval, timeout *string, retries *uint) error {
	if interval != nil && *interval == "disable" {
		check.Interval = 0
	} else if interval != nil {
		d, err := time.ParseDuration(*interval)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid %s-interval: %w", what, err)
		}
		if d <= 0 {
			return errdef.Newf(errdef.ErrInvalid, "%s-interval must be more than nothing: disable is the word for none", what)
		}
		check.Interval = d
	}
	if timeout != nil {
		d, err := time.ParseDuration(*timeout)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "invalid %s-timeout: %w", what, err)
		}
		if d < time.Second {
			return errdef.Newf(errdef.ErrInvalid, "%s-timeout must be at least 1 second", what)
		}
		check.Timeout = d
	}
	if retries != nil {
		check.Retries = int(*retries)
	}
	if check.Retries < 1 && what == "healthcheck" {
		return errdef.Newf(errdef.ErrInvalid, "healthcheck-retries must be greater than 0")
	}
	return nil
}

func setStartPeriod(check *container.Check, period *string) error {
	if period == nil {
		return nil
	}
	d, err := time.ParseDuration(*period)
	if err != nil {
		return errdef.Newf(errdef.ErrInvalid, "invalid healthcheck-start-period: %w", err)
	}
	if d < 0 {
		return errdef.Newf(errdef.ErrInvalid, "healthcheck-start-period must be 0 seconds or greater")
	}
	check.StartPeriod = d
	return nil
}

// setStartup makes the check that goes before the regular one.
func setStartup(h *container.Health, req *HealthRequest) error {
	if req.StartupCmd == nil && h.Startup == nil {
		if req.StartupInterval != nil || req.StartupTimeout != nil || req.StartupRetries != nil || req.StartupSuccess != nil {
			return errdef.Newf(errdef.ErrInvalid, "startup healthcheck command is not set: use --health-startup-cmd")
		}
		return nil
	}
	if !h.Checked() {
		return errdef.Newf(errdef.ErrInvalid, "cannot set a startup healthcheck when there is no regular healthcheck: invalid argument")
	}
	startup := container.StartupCheck{Check: container.Check{Interval: defaultInterval, Timeout: defaultTimeout}}
	if h.Startup != nil {
		startup = *h.Startup
	}
	if req.StartupCmd != nil {
		startup.Test = parseTest(*req.StartupCmd)
	}
	if req.StartupSuccess != nil {
		startup.Successes = int(*req.StartupSuccess)
	}
	h.Startup = &startup
	return setCheck(&startup.Check, "startup healthcheck", req.StartupInterval, req.StartupTimeout, req.StartupRetries)
}

func setHealthLog(h *container.Health, req *HealthRequest) error {
	if req.MaxLogCount != nil {
		h.MaxCount = req.MaxLogCount
	}
	if req.MaxLogSize != nil {
		h.MaxSize = req.MaxLogSize
	}
	if req.LogDestination == nil {
		return nil
	}
	h.Destination = *req.LogDestination
	if h.Destination == "local" || h.Destination == "events_logger" {
		return nil
	}
	dir, err := filepath.Abs(h.Destination)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errdef.Newf(errdef.ErrInvalid, "it is no directory")
	}
	if err != nil {
		return errdef.Newf(errdef.ErrInvalid, "running container create option: HealthCheck Log '%s' destination error: %w", h.Destination, err)
	}
	h.Destination = dir
	return nil
}

func setOnFailure(h *container.Health, action *string) error {
	if action == nil {
		return nil
	}
	if !slices.Contains([]string{"none", "kill", "restart", "stop"}, *action) {
		return errdef.Newf(errdef.ErrInvalid, "invalid on-failure action %q for health check: supported actions are none,kill,restart,stop", *action)
	}
	if *action != "none" && !h.Checked() {
		return errdef.Newf(errdef.ErrInvalid, "cannot set on-failure action to %s without a health check", *action)
	}
	h.OnFailure = *action
	return nil
}

// asked says whether anything is asked for.
func (r *HealthRequest) asked() bool { return *r != HealthRequest{} }
