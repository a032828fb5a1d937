package cli

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/podsuite/podsuite/buildah/build"
	"github.com/podsuite/podsuite/shared/errdef"
)

type configFlags struct {
	work  build.WorkRequest
	req   build.ConfigRequest
	texts map[string]*string // those that count when given, also when empty
}

func newConfig(a *app) *cobra.Command {
	o := &configFlags{texts: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "config CONTAINER",
		Short: "Update image configuration settings",
		Long:  "Modifies the configuration values which will be saved to the image.",
		Example: `buildah config --author='Jane Austen' --workingdir='/etc/mycontainers' containerID
buildah config --entrypoint '[ "/entrypoint.sh", "dev" ]' containerID
buildah config --env foo=bar --env PATH=$PATH containerID`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errdef.Newf(errdef.ErrInvalid, "container ID must be specified")
			case len(args) > 1:
				return errdef.Newf(errdef.ErrInvalid, "too many arguments specified")
			}
			return runConfig(cmd, a, o, args[0])
		},
	}
	o.bind(cmd.Flags())
	return cmd
}

func (o *configFlags) bind(f *pflag.FlagSet) {
	r := &o.req
	f.BoolVar(&r.AddHistory, "add-history", envBool("BUILDAH_HISTORY"), "add an entry for this operation to the image's history.  Use BUILDAH_HISTORY environment variable to override.")
	f.StringArrayVarP(&r.Annotations, "annotation", "a", []string{}, "add `annotation` e.g. annotation=value, for the target image")
	f.StringArrayVarP(&r.Env, "env", "e", []string{}, "add `environment variable` to be set when running containers based on image")
	f.StringArrayVarP(&r.Labels, "label", "l", nil, "add image configuration `label` e.g. label=value")
	f.StringSliceVar(&r.OnBuild, "onbuild", nil, "add onbuild command to be run on images based on this image. Only supported on 'docker' formatted images")
	f.StringSliceVar(&r.OSFeatures, "os-feature", nil, "set required OS `feature` for the target image")
	f.StringSliceVarP(&r.Ports, "port", "p", []string{}, "add `port` to expose when running containers based on image")
	f.StringSliceVar(&r.UnsetAnnotations, "unsetannotation", nil, "remove image configuration annotation")
	f.StringSliceVar(&r.UnsetLabels, "unsetlabel", nil, "remove image configuration label")
	f.StringSliceVarP(&r.Volumes, "volume", "v", []string{}, "add default `volume` path to be created for containers based on image")
	for _, t := range [][3]string{
		{"arch", "", "set `architecture` of the target image"}, {"author", "", "set image author contact `information`"},
		{"cmd", "", "set the default `command` to run for containers based on the image"}, {"comment", "", "set a `comment` in the target image"},
		{"created-by", "", "set `description` of how the image was created"}, {"domainname", "", "set a domain `name` for containers based on image"},
		{"entrypoint", "", "set `entry point` for containers based on image"}, {"healthcheck", "", "set a `healthcheck` command for the target image"},
		{"healthcheck-interval", "", "set the `interval` between runs of the healthcheck command for the target image"},
		{"healthcheck-retries", "", "set the `number` of times the healthcheck command has to fail"},
		{"healthcheck-start-interval", "", "set the time between health checks during the start period. Only available with format `docker`"},
		{"healthcheck-start-period", "", "set the amount of `time` to wait after starting a container before a failed healthcheck command will count as a failure"},
		{"healthcheck-timeout", "", "set the maximum amount of `time` to wait for a healthcheck command for the target image"},
		{"history-comment", "", "set a `comment` for the history of the target image"}, {"hostname", "", "set a host `name` for containers based on image"},
		{"os", "", "set `operating system` of the target image"}, {"os-version", "", "set required OS `version` for the target image"},
		{"shell", "", "add `shell` to run in containers"}, {"stop-signal", "", "set `stop signal` for containers based on image"},
		{"user", "u", "set default `user` to run inside containers based on image"}, {"variant", "", "set CPU architecture `variant` of the target image"},
		{"workingdir", "", "set working `directory` for containers based on image"},
	} {
		o.texts[t[0]] = f.StringP(t[0], t[1], "", t[2])
	}
}

func runConfig(cmd *cobra.Command, a *app, o *configFlags, container string) error {
	r := &o.req
	text := func(name string) *string {
		if !cmd.Flags().Changed(name) {
			return nil
		}
		return o.texts[name]
	}
	r.Author, r.User, r.WorkingDir, r.StopSignal = text("author"), text("user"), text("workingdir"), text("stop-signal")
	r.Hostname, r.Domainname, r.Comment = text("hostname"), text("domainname"), text("comment")
	r.CreatedBy, r.HistoryComment = text("created-by"), text("history-comment")
	r.Arch, r.OS, r.Variant, r.OSVersion = text("arch"), text("os"), text("variant"), text("os-version")
	for i, kv := range r.Env {
		r.Env[i] = fromEnvironment(kv)
	}
	return a.work(&o.work, func() error {
		w, err := build.Open(o.work, container)
		if err != nil {
			return err
		}
		if err = o.commands(text); err == nil {
			err = w.Configure(*r)
		}
		return errors.Join(err, w.Close())
	})
}

// commands reads the options that hold command lines.
func (o *configFlags) commands(text func(string) *string) error {
	for _, c := range []struct {
		name string
		to   **[]string
	}{{"cmd", &o.req.Cmd}, {"shell", &o.req.Shell}} {
		value := text(c.name)
		if value == nil {
			continue
		}
		words, err := splitWords(*value)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "parsing --%s %q: %w", c.name, *value, err)
		}
		*c.to = &words
	}
	if value := text("entrypoint"); value != nil {
		entrypoint := parseEntrypoint(*value)
		o.req.Entrypoint = &entrypoint
	}
	return o.health(text)
}

// parseEntrypoint reads a JSON list of words, or a command line for the shell.
func parseEntrypoint(value string) []string {
	var words []string
	if value == "" {
		return nil
	}
	if json.Unmarshal([]byte(value), &words) == nil {
		return words
	}
	return []string{"/bin/sh", "-c", value}
}

func (o *configFlags) health(text func(string) *string) error {
	h := &o.req.Health
	for _, d := range []struct {
		name string
		to   **time.Duration
	}{
		{"healthcheck-interval", &h.Interval}, {"healthcheck-timeout", &h.Timeout},
		{"healthcheck-start-period", &h.StartPeriod}, {"healthcheck-start-interval", &h.StartInterval},
	} {
		value := text(d.name)
		if value == nil {
			continue
		}
		duration, err := time.ParseDuration(*value)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "parsing --%s %q: %w", d.name, *value, err)
		}
		*d.to = &duration
	}
	if value := text("healthcheck-retries"); value != nil {
		n, err := strconv.Atoi(*value)
		if err != nil || n < 0 {
			return errdef.Newf(errdef.ErrInvalid, "parsing --healthcheck-retries %q: it must be a number", *value)
		}
		h.Retries = &n
	}
	value := text("healthcheck")
	if value == nil {
		return nil
	}
	words, err := splitWords(*value)
	if err != nil {
		return errdef.Newf(errdef.ErrInvalid, "parsing --healthcheck %q: %w", *value, err)
	}
	if len(words) > 0 && !slices.Contains([]string{"NONE", "CMD", "CMD-SHELL"}, words[0]) {
		words = append([]string{"CMD-SHELL"}, words...)
	}
	h.Test = &words
	return nil
}

// splitWords parts a command line into words, quotes and backslashes as the
// shell has them.
func splitWords(line string) ([]string, error) {
	words := []string{}
	var word strings.Builder
	inWord, quote := false, rune(0)
	for rest := []rune(line); len(rest) > 0; rest = rest[1:] {
		r := rest[0]
		switch {
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
			continue
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case quote == r:
			quote = 0
		case r == '\\' && quote != '\'':
			if len(rest) == 1 {
				return nil, errInvalidLine
			}
			rest = rest[1:]
			word.WriteRune(rest[0])
		default:
			word.WriteRune(r)
		}
		inWord = true
	}
	if quote != 0 {
		return nil, errInvalidLine
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

const errInvalidLine = lineError("invalid command line string")

// lineError is an error that is a constant.
type lineError string

func (e lineError) Error() string { return string(e) }

// fromEnvironment gives a variable without a value the one it has here.
func fromEnvironment(kv string) string {
	if strings.Contains(kv, "=") || strings.HasSuffix(kv, "-") {
		return kv
	}
	if value, ok := os.LookupEnv(kv); ok {
		return kv + "=" + value
	}
	return kv
}
