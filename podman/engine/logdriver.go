package engine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/userns"
)

// The log drivers. json-file is another name of k8s-file, as in the reference.
const (
	k8sFile        = "k8s-file"
	journald       = "journald"
	passthrough    = "passthrough"
	passthroughTTY = "passthrough-tty"
)

// LogDrivers lists the log drivers.
func LogDrivers() []string {
	return []string{k8sFile, "json-file", journald, passthrough, passthroughTTY, "none"}
}

// defaultLogDriver is systemd's journal where this user can read what is
// written there, else files.
func defaultLogDriver() string {
	if _, err := os.Stat(monitor.JournalSocket); err != nil {
		return k8sFile
	}
	if !userns.Rootless() {
		return journald
	}
	for _, dir := range []string{"/run/log/journal", "/var/log/journal"} {
		if own, err := filepath.Glob(filepath.Join(dir, "*", "user-"+strconv.Itoa(userns.RealUID())+".journal")); err == nil && len(own) > 0 {
			return journald
		}
	}
	return k8sFile
}

// LogDriver is the driver of containers that ask for none.
func (e *Engine) LogDriver() string { return first(e.Config.Containers.LogDriver, defaultLogDriver()) }

// direct says whether the container's streams are those of the command that
// starts it.
func direct(driver string) bool { return driver == passthrough || driver == passthroughTTY }

// setLog chooses the log.
func (e *Engine) setLog(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	c.LogDriver = first(req.LogDriver, e.LogDriver())
	switch c.LogDriver {
	case k8sFile, "json-file", "none":
	case journald:
		if _, err := os.Stat(monitor.JournalSocket); err != nil {
			return errdef.Newf(errdef.ErrUnsupported, "log driver journald: no journal of systemd's is there to write to (%s)", monitor.JournalSocket)
		}
	case passthrough, passthroughTTY:
		if err := checkDirect(c); err != nil {
			return err
		}
	default:
		return errdef.Newf(errdef.ErrInvalid, "running container create option: invalid log driver %q: choose one of %s", c.LogDriver, strings.Join(LogDrivers(), ", "))
	}
	if c.LogDriver == "none" {
		return nil
	}
	conf := &e.Config.Containers
	c.LogTag, c.LogMax = conf.LogTag, max(0, int64(conf.LogSizeMax))
	if conf.LogPath != "" {
		c.LogPath = filepath.Join(conf.LogPath, c.ID, "ctr.log")
	}
	for _, opt := range req.LogOpts {
		key, value, _ := strings.Cut(opt, "=")
		file := c.LogDriver == k8sFile || c.LogDriver == "json-file"
		switch {
		case key == "path" && value != "" && file:
			c.LogPath = value
		case key == "tag":
			c.LogTag = value
		case key == "max-size" && file:
			n, err := runtime.ParseBytes(value)
			if err != nil || n < 0 {
				return errdef.Newf(errdef.ErrInvalid, "invalid value for log option %q: want a size such as 10m", opt)
			}
			c.LogMax = n
		case file:
			return errdef.Newf(errdef.ErrUnsupported, "log option %q is not supported: this log driver takes path=FILE, max-size=SIZE and tag=TEXT", opt)
		default:
			return errdef.Newf(errdef.ErrUnsupported, "log option %q is not supported: log driver %s takes tag=TEXT", opt, c.LogDriver)
		}
	}
	return nil
}

// checkDirect refuses to hand a terminal to the container, which could type
// on it, unless that is asked for by name.
func checkDirect(c *container.Config) error {
	if c.Terminal {
		return errdef.Newf(errdef.ErrInvalid, "--tty can't be used with --log-driver %s: the container gets the streams of this command", c.LogDriver)
	}
	if c.LogDriver == passthrough && (cliout.IsTerminal(os.Stdin) || cliout.IsTerminal(os.Stdout) || cliout.IsTerminal(os.Stderr)) {
		return errdef.Newf(errdef.ErrInvalid, "the '--log-driver passthrough' option cannot be used on a TTY: choose passthrough-tty if the container may have it")
	}
	return nil
}

// LogPath is the file of the container's log; "" where it has none.
func (e *Engine) LogPath(c *container.Config) string {
	if c.LogDriver != k8sFile && c.LogDriver != "json-file" {
		return ""
	}
	return first(c.LogPath, filepath.Join(e.Store.ContainerDir(c.ID), "ctr.log"))
}

// logTag is the tag of the container's entries in the journal: the text, or
// what the template makes of inspect's fields.
func (e *Engine) logTag(c *container.Config) string {
	if !strings.Contains(c.LogTag, "{{") {
		return c.LogTag
	}
	info, err := e.Inspect(c.ID)
	var text strings.Builder
	if err == nil {
		err = cliout.Template(&text, "tag", c.LogTag, info)
	}
	if err != nil {
		cliout.Warn(os.Stderr, "make log tag %q: %v", c.LogTag, err)
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(text.String(), "\n", " "))
}
