package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
)

// action is what a step comes to in its stage.
type action struct {
	// config changes the configuration in memory.
	config func() error
	// files changes the working container; nil for a step that doesn't.
	files func(ctx context.Context) error
	// inputs are what the outcome depends on beside the step's text and the
	// image before it.
	inputs func(ctx context.Context) ([]string, error)
	// created is the history's line, known once files is through.
	created func() string

	wrote bool // files changed the container
}

func (a *action) run(ctx context.Context) error {
	if a.files != nil {
		if err := a.files(ctx); err != nil {
			return err
		}
	}
	return a.config()
}

func nop(original string) string { return "/bin/sh -c #(nop) " + original }

// simple is an action on the configuration only, which depends on the words.
func simple(original string, words []string, config func()) *action {
	return &action{
		config:  func() error { config(); return nil },
		inputs:  func(context.Context) ([]string, error) { return words, nil },
		created: func() string { return nop(original) },
	}
}

// prepare expands a step's words and says what it does. What only matters to
// the steps after it, such as arguments, takes effect here.
func (s *stage) prepare(ctx context.Context, step *dockerfile.Step) (*action, error) {
	switch inst := step.Inst.(type) {
	case *dockerfile.Copy:
		return s.copyAction(ctx, step, inst)
	case *dockerfile.Run:
		return s.runAction(step, inst)
	case *dockerfile.Arg:
		return s.argAction(inst)
	case *dockerfile.Workdir:
		return s.workdirAction(step, inst)
	}
	switch inst := step.Inst.(type) {
	case *dockerfile.Cmd:
		s.cmdSet = true
		args := s.commandLine(inst.Command)
		return simple(step.Original, args, func() { s.doc.Config.Cmd = args }), nil
	case *dockerfile.Entrypoint:
		args, keepCmd := s.commandLine(inst.Command), s.cmdSet
		return simple(step.Original, args, func() {
			s.doc.Config.Entrypoint = args
			if !keepCmd {
				s.doc.Config.Cmd = nil // the base's, made for its own entry point
			}
		}), nil
	case *dockerfile.Shell:
		return simple(step.Original, inst.Args, func() { s.doc.Config.Shell = inst.Args }), nil
	case *dockerfile.Maintainer:
		return simple(step.Original, nil, func() { s.doc.Author = inst.Name }), nil
	case *dockerfile.OnBuild:
		return simple(step.Original, nil, func() { s.doc.Config.OnBuild = append(s.doc.Config.OnBuild, inst.Text) }), nil
	case *dockerfile.Healthcheck:
		return s.healthAction(step, inst), nil
	}
	return s.wordsAction(step)
}

// wordsAction handles the instructions that expand their words into the
// configuration.
func (s *stage) wordsAction(step *dockerfile.Step) (*action, error) {
	vars := s.vars()
	switch inst := step.Inst.(type) {
	case *dockerfile.Env:
		pairs, err := s.pairs(inst.Pairs, vars)
		return simple(step.Original, pairs, func() {
			for _, kv := range pairs {
				s.doc.Config.Env = setEnv(s.doc.Config.Env, kv)
				name, _ := cutEnv(kv)
				delete(s.over, name)
			}
		}), err
	case *dockerfile.Label:
		pairs, err := s.pairs(inst.Pairs, vars)
		return simple(step.Original, pairs, func() {
			for _, kv := range pairs {
				key, value := cutEnv(kv)
				put(&s.doc.Config.Labels, key, value)
			}
		}), err
	case *dockerfile.Expose:
		ports, err := s.ports(inst.Ports, vars)
		return simple(step.Original, ports, func() {
			for _, port := range ports {
				put(&s.doc.Config.ExposedPorts, port, struct{}{})
			}
		}), err
	case *dockerfile.Volume:
		paths, err := s.expand.All(inst.Paths, vars)
		if slices.Contains(paths, "") {
			return nil, errdef.Newf(errdef.ErrInvalid, "VOLUME specified can not be an empty string")
		}
		return simple(step.Original, paths, func() {
			for _, p := range paths {
				put(&s.doc.Config.Volumes, p, struct{}{})
			}
		}), err
	case *dockerfile.User:
		user, err := s.expand.Word(inst.Name, vars)
		return simple(step.Original, []string{user}, func() { s.doc.Config.User = user }), err
	case *dockerfile.StopSignal:
		signal, err := s.expand.Word(inst.Signal, vars)
		if err == nil && !validSignal(signal) {
			err = errdef.Newf(errdef.ErrInvalid, "Invalid signal: %s", signal)
		}
		return simple(step.Original, []string{signal}, func() { s.doc.Config.StopSignal = signal }), err
	}
	return nil, errdef.Newf(errdef.ErrUnsupported, "instruction is not supported")
}

func put[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

func cutEnv(kv string) (name, value string) {
	name, value, _ = strings.Cut(kv, "=")
	return name, value
}

// setEnv replaces the variable or adds it at the end.
func setEnv(env []string, kv string) []string {
	name, _ := cutEnv(kv)
	for i := range env {
		if old, _ := cutEnv(env[i]); old == name {
			env[i] = kv
			return env
		}
	}
	return append(env, kv)
}

// pairs expands names and values to "name=value"; no value sees another of the
// same instruction.
func (s *stage) pairs(in []dockerfile.Pair, vars dockerfile.Vars) ([]string, error) {
	out := make([]string, len(in))
	for i, pair := range in {
		words, err := s.expand.All([]string{pair.Name, pair.Value}, vars)
		if err != nil {
			return nil, err
		}
		out[i] = words[0] + "=" + words[1]
	}
	return out, nil
}

func (s *stage) ports(words []string, vars dockerfile.Vars) ([]string, error) {
	var ports []string
	for _, word := range words {
		expanded, err := s.expand.Words(word, vars)
		if err != nil {
			return nil, err
		}
		for _, spec := range expanded {
			each, err := exposed(spec)
			if err != nil {
				return nil, err
			}
			ports = append(ports, each...)
		}
	}
	return ports, nil
}

// exposed reads PORT[-PORT][/PROTOCOL]; of a mapping the container's side counts.
func exposed(spec string) ([]string, error) {
	text, protocol, ok := strings.Cut(spec, "/")
	if protocol = strings.ToLower(protocol); !ok {
		protocol = "tcp"
	}
	if !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		return nil, errdef.Newf(errdef.ErrInvalid, "EXPOSE %s: the protocol must be tcp, udp or sctp", spec)
	}
	start, end, isRange := strings.Cut(text[strings.LastIndexByte(text, ':')+1:], "-")
	if !isRange {
		end = start
	}
	first, err := strconv.ParseUint(start, 10, 16)
	last, endErr := strconv.ParseUint(end, 10, 16)
	if err != nil || endErr != nil || first > last {
		return nil, errdef.Newf(errdef.ErrInvalid, "EXPOSE %s: a port must be a number from 0 to 65535, or a range of them", spec)
	}
	var ports []string
	for port := first; port <= last; port++ {
		ports = append(ports, fmt.Sprintf("%d/%s", port, protocol))
	}
	return ports, nil
}

func validSignal(name string) bool {
	if unix.SignalNum("SIG"+strings.TrimPrefix(strings.ToUpper(name), "SIG")) != 0 {
		return true
	}
	upper := strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if strings.HasPrefix(upper, "RTMIN") || strings.HasPrefix(upper, "RTMAX") {
		return true
	}
	var n int
	_, err := fmt.Sscanf(name, "%d", &n)
	return err == nil && n > 0 && syscall.Signal(n) <= 64 && fmt.Sprint(n) == name
}

// shell is what runs a shell form.
func (s *stage) shell() []string {
	if len(s.doc.Config.Shell) > 0 {
		return s.doc.Config.Shell
	}
	return []string{"/bin/sh", "-c"}
}

func (s *stage) commandLine(c dockerfile.Command) []string {
	if c.Shell {
		return append(slices.Clone(s.shell()), c.Args...)
	}
	return c.Args
}

func (s *stage) healthAction(step *dockerfile.Step, h *dockerfile.Healthcheck) *action {
	check := &healthConfig{
		Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod,
		StartInterval: h.StartInterval, Retries: h.Retries,
	}
	switch {
	case h.None:
		check.Test = []string{"NONE"}
	case h.Shell:
		check.Test = append([]string{"CMD-SHELL"}, h.Args...)
	default:
		check.Test = append([]string{"CMD"}, h.Args...)
	}
	return simple(step.Original, nil, func() { s.doc.Config.Healthcheck = check })
}

// argAction declares arguments; their values count for the steps that use them.
func (s *stage) argAction(arg *dockerfile.Arg) (*action, error) {
	var shown, values []string
	for _, v := range arg.Values {
		shown = append(shown, v.Name)
		value, ok, err := s.argValue(v)
		if err != nil {
			return nil, err
		}
		if ok {
			s.args[v.Name], s.over[v.Name] = value, true
			values = append(values, v.Name+"="+value)
		}
	}
	a := simple("ARG "+strings.Join(shown, " "), values, func() {})
	return a, nil
}

func (s *stage) argValue(v dockerfile.ArgValue) (string, bool, error) {
	s.b.useArg(v.Name)
	if value, ok := s.b.req.Args[v.Name]; ok {
		return value, true, nil
	}
	if v.Default != nil {
		value, err := s.expand.Word(*v.Default, s.vars())
		return value, true, err
	}
	if value, ok := s.b.plan.Args[v.Name]; ok {
		return value, true, nil
	}
	value, ok := s.b.req.platformArgs()[v.Name]
	return value, ok, nil
}

func (s *stage) workdirAction(step *dockerfile.Step, w *dockerfile.Workdir) (*action, error) {
	dir, err := s.expand.Word(w.Path, s.vars())
	if err != nil {
		return nil, err
	}
	if !path.IsAbs(dir) {
		dir = path.Join("/", s.doc.Config.WorkingDir, dir)
	}
	dir = path.Clean(dir)
	a := simple(step.Original, []string{dir}, func() { s.doc.Config.WorkingDir = dir })
	a.files = func(context.Context) error {
		if err := s.ensure(); err != nil {
			return err
		}
		made, err := s.makeDir(dir)
		a.wrote = made
		return err
	}
	return a, nil
}

// makeDir makes a directory of the working container, owned by the user, if it
// is missing.
func (s *stage) makeDir(dir string) (made bool, err error) {
	if _, err := rootfs.Stat(s.root, dir); err == nil || !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	user, err := s.user(s.doc.Config.User)
	if err != nil {
		return false, err
	}
	return true, rootfs.MkdirAll(s.root, dir, 0o755, user.UID, user.GID)
}

// user looks up "user[:group]" in the working container.
func (s *stage) user(text string) (rootfs.User, error) {
	user, err := rootfs.LookupUser(s.root, text)
	if errors.Is(err, errdef.ErrNotFound) {
		name, group, _ := strings.Cut(text, ":")
		if _, userErr := rootfs.LookupUser(s.root, name); userErr != nil {
			return user, errdef.Newf(errdef.ErrNotFound, "determining run uid: user: unknown user error looking up user %q", name)
		}
		return user, errdef.Newf(errdef.ErrNotFound, "determining run gid: group: unknown group error looking up group %q", group)
	}
	return user, err
}
