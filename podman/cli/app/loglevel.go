package app

import (
	"os"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
)

const levels = "trace, debug, info, warn, warning, error, fatal, panic"

// logLevel is --log-level: the least level that is told of, "" for warnings.
type logLevel string

func (l *logLevel) String() string { return string(*l) }

// Type is shown by help.
func (l *logLevel) Type() string { return "string" }

// Set takes one of the levels.
func (l *logLevel) Set(text string) error {
	text = strings.ToLower(text)
	if !slices.Contains(strings.Split(levels, ", "), text) {
		return &errdef.Exit{Code: 1, Err: errdef.Newf(errdef.ErrInvalid, "log level %q is not supported: choose from: %s", text, levels)}
	}
	*l = logLevel(text)
	return nil
}

// logConfig tells what the command works with, for --log-level=debug.
func (a *App) logConfig(c *config.Config) {
	if a.logLevel != "debug" && a.logLevel != "trace" {
		return
	}
	log := cliout.Log{W: os.Stderr}
	for _, file := range c.Files {
		log.Debug("read configuration", "file", file)
	}
	for _, key := range append(c.UnknownKeys, c.IdleKeys()...) {
		log.Debug(key)
	}
	for _, o := range []struct{ name, value string }{{"graph root", c.Storage.GraphRoot}, {"run root", c.Storage.RunRoot}, {"graph driver", c.Storage.Driver},
		{"volume path", c.Engine.VolumePath}, {"OCI runtime", c.Engine.Runtime}, {"cgroup manager", c.Engine.CgroupManager}, {"events backend", c.Engine.EventsLogger}} {
		if o.value == "" {
			o.value = "the default"
		}
		log.Debug("using " + o.name + " " + o.value)
	}
}
