package engine

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"golang.org/x/sys/unix"
)

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// setEnvironment layers the environment: defaults, the host's and
// containers.conf's, image, files, options.
func (e *Engine) setEnvironment(c *container.Config, req *CreateRequest, image *v1.Config) error {
	env := []string{defaultPath, "container=podman"}
	if c.Terminal {
		env = append(env, "TERM=xterm")
	}
	env, err := e.configuredEnv(env, req)
	if err != nil {
		return err
	}
	for _, kv := range image.Env {
		env = setEnv(env, kv)
	}
	for _, kv := range req.EnvMerge {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			return errdef.Newf(errdef.ErrInvalid, "invalid value %q for --env-merge: want NAME=VALUE", kv)
		}
		env = setEnv(env, name+"="+os.Expand(value, func(of string) string { return getEnv(env, of) }))
	}
	if req.UnsetEnvAll {
		env = nil
	}
	for _, file := range req.EnvFiles {
		lines, err := readLines(file)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if env, err = addEnv(env, line); err != nil {
				return fmt.Errorf("read environment file %q: %w", file, err)
			}
		}
	}
	for _, kv := range req.Env {
		if env, err = addEnv(env, kv); err != nil {
			return err
		}
	}
	for _, name := range req.UnsetEnv {
		env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	}
	c.Env = env
	return nil
}

// configuredEnv adds what containers.conf lets into every container: the
// host's proxies, variables of its own, and the host's whole environment.
func (e *Engine) configuredEnv(env []string, req *CreateRequest) ([]string, error) {
	conf := &e.Config.Containers
	var from []string
	if deref(req.HTTPProxy, conf.HTTPProxy) {
		for _, name := range []string{"http_proxy", "https_proxy", "ftp_proxy", "no_proxy"} {
			from = append(from, name, strings.ToUpper(name))
		}
	}
	from = append(from, conf.Env...)
	if conf.EnvHost || req.EnvHost {
		from = append(from, os.Environ()...)
	}
	for _, kv := range from {
		var err error
		if env, err = addEnv(env, kv); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// addEnv takes NAME=VALUE, NAME (this process's value, if it has one) and
// PREFIX* (all of this process's that begin so).
func addEnv(env []string, s string) ([]string, error) {
	name, _, hasValue := strings.Cut(s, "=")
	if name == "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid environment variable: %q", s)
	}
	if hasValue {
		return setEnv(env, s), nil
	}
	if prefix, all := strings.CutSuffix(name, "*"); all {
		for _, kv := range os.Environ() {
			if strings.HasPrefix(kv, prefix) {
				env = setEnv(env, kv)
			}
		}
		return env, nil
	}
	if value, ok := os.LookupEnv(name); ok {
		env = setEnv(env, name+"="+value)
	}
	return env, nil
}

// getEnv is the value of a variable in an environment.
func getEnv(env []string, name string) string {
	for _, kv := range env {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

func setEnv(env []string, kv string) []string {
	name, _, _ := strings.Cut(kv, "=")
	for i, have := range env {
		if strings.HasPrefix(have, name+"=") {
			env[i] = kv
			return env
		}
	}
	return append(env, kv)
}

// readLines reads the lines of a file that are neither empty nor comments.
func readLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("parsing file %q: %w", path, err)
	}
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		line := strings.TrimLeft(s.Text(), " \t")
		if line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("parsing file %q: %w", path, err)
	}
	return lines, nil
}

func setLabels(c *container.Config, req *CreateRequest, image *v1.Config) error {
	c.Labels = maps.Clone(image.Labels)
	if c.Labels == nil {
		c.Labels = map[string]string{}
	}
	for _, file := range req.LabelFiles {
		lines, err := readLines(file)
		if err != nil {
			return err
		}
		addPairs(c.Labels, lines)
	}
	addPairs(c.Labels, req.Labels)
	addUnit(c.Labels)
	if len(req.Annotations) > 0 {
		c.Annotations = map[string]string{}
		for _, kv := range req.Annotations {
			key, value, ok := strings.Cut(kv, "=")
			if !ok || key == "" {
				return errdef.Newf(errdef.ErrInvalid, "annotations must be formatted KEY=VALUE: %q", kv)
			}
			c.Annotations[key] = value
		}
	}
	return nil
}

func addPairs(m map[string]string, pairs []string) {
	for _, kv := range pairs {
		key, value, _ := strings.Cut(kv, "=")
		m[key] = value
	}
}

// setNamespaces reads the namespaces other than the network's.
func (e *Engine) setNamespaces(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	for _, ns := range []struct {
		flag, value string
		to          *string
	}{{"pid", req.PID, &c.PIDMode}, {"ipc", req.IPC, &c.IPCMode}, {"uts", req.UTS, &c.UTSMode}} {
		switch ns.value {
		case "", "private":
		case "host":
			*ns.to = "host"
		case "shareable", "none":
			if ns.flag == "ipc" {
				*ns.to = ns.value
				break
			}
			fallthrough
		default:
			if kind, of, ok := strings.Cut(ns.value, ":"); ok && of != "" && (kind == "container" || kind == "ns") {
				if kind == "ns" && !exists(of) {
					return errdef.Newf(errdef.ErrInvalid, "join the %s namespace %s: no such file", ns.flag, of)
				}
				*ns.to = ns.value
				break
			}
			return errdef.Newf(errdef.ErrInvalid, "unrecognized namespace mode --%s=%s: choose host, private, container:NAME or ns:PATH", ns.flag, ns.value)
		}
	}
	if c.Hostname != "" && c.UTSMode != "" {
		of := "host"
		if c.UTSMode != of {
			of = "joined"
		}
		return errdef.Newf(errdef.ErrInvalid, "cannot set hostname when running in the %s UTS namespace: invalid configuration", of)
	}
	c.ShmSize = int64(e.Config.Containers.ShmSize)
	if req.ShmSize != "" {
		n, err := runtime.ParseBytes(req.ShmSize)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "unable to translate --shm-size: %w", err)
		}
		c.ShmSize = n
	}
	return nil
}

// signalName is the signal's name, the real-time ones counted from the first.
func signalName(n int) string {
	const rtmin = 34
	switch {
	case n == rtmin:
		return "SIGRTMIN"
	case n > rtmin:
		return "SIGRTMIN+" + strconv.Itoa(n-rtmin)
	}
	return unix.SignalName(unix.Signal(n))
}

// ParseSignal reads a signal's name, with or without SIG, or its number.
func ParseSignal(s string) (int, error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 || n > 64 {
			return 0, errdef.Newf(errdef.ErrInvalid, "invalid signal: %s", s)
		}
		return n, nil
	}
	name := strings.ToUpper(s)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	const rtmin, rtmax = 34, 64
	for _, rt := range []struct {
		prefix     string
		base, sign int
	}{{"SIGRTMIN+", rtmin, 1}, {"SIGRTMAX-", rtmax, -1}} {
		if offset, ok := strings.CutPrefix(name, rt.prefix); ok {
			n, err := strconv.Atoi(offset)
			if sig := rt.base + rt.sign*n; err == nil && sig >= rtmin && sig <= rtmax {
				return sig, nil
			}
		}
	}
	switch name {
	case "SIGRTMIN":
		return rtmin, nil
	case "SIGRTMAX":
		return rtmax, nil
	}
	if n := unix.SignalNum(name); n != 0 {
		return int(n), nil
	}
	return 0, errdef.Newf(errdef.ErrInvalid, "invalid signal: %s", s)
}
