package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
)

// notifyEnv names the socket at which a service manager listens for whether a
// service is ready (sd_notify(3)).
const notifyEnv = "NOTIFY_SOCKET"

// notifyDir is where a container finds the socket that stands for it.
const notifyDir = "/run/notify"

// setNotify decides who tells the service manager that the container is ready.
func setNotify(c *container.Config, req *CreateRequest, _ *v1.Config) error {
	switch mode := first(req.SdNotify, container.NotifyContainer); mode {
	case container.NotifyHealthy:
		if !c.Health.Checked() {
			return errdef.Newf(errdef.ErrInvalid, "invalid argument: sdnotify policy %q requires a healthcheck to be set", mode)
		}
		fallthrough
	case container.NotifyContainer, container.NotifyMonitor, container.NotifyIgnore:
		c.SdNotify = mode
	default:
		return errdef.Newf(errdef.ErrInvalid, "invalid config provided: invalid argument: invalid sdnotify value %q: must be conmon, container, healthy or ignore", mode)
	}
	return nil
}

// notifies says whether a service manager wants to know of the container.
func notifies(c *container.Config) bool {
	return os.Getenv(notifyEnv) != "" && c.SdNotify != container.NotifyIgnore && !c.Infra
}

// notifySocket is the socket that the container gets, for its monitor to pass
// on what it is told there; "" where it gets none.
func (e *Engine) notifySocket(c *container.Config) string {
	if !notifies(c) || c.SdNotify != container.NotifyContainer && c.SdNotify != "" {
		return ""
	}
	return filepath.Join(e.Store.ContainerRunDir(c.ID), "notify", "notify.sock")
}

// addNotify has the container find its socket.
func (e *Engine) addNotify(c *container.Config, spec *specs.Spec) error {
	socket := e.notifySocket(c)
	if socket == "" {
		return nil
	}
	dir := filepath.Dir(socket)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make directory of the notification socket: %w", err)
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{Destination: notifyDir, Type: "bind", Source: dir, Options: []string{"bind", "rprivate", "nosuid", "nodev", "noexec"}})
	spec.Process.Env = append(spec.Process.Env, notifyEnv+"="+filepath.Join(notifyDir, filepath.Base(socket)))
	return nil
}

// notifyMain tells the service manager of the monitor, before that tells it
// anything itself: it is the service's main process now.
func notifyMain(c *container.Config, launcher *monitor.Launcher) {
	if notifies(c) {
		notify(fmt.Sprintf("MAINPID=%d", launcher.Pid))
	}
}

// notifyReady tells the service manager that the container is ready, where
// that is not the container's to say: when it has started, or is healthy.
func (e *Engine) notifyReady(ctx context.Context, c *container.Config) error {
	switch {
	case !notifies(c):
	case c.SdNotify == container.NotifyMonitor:
		notify("READY=1")
	case c.SdNotify == container.NotifyHealthy:
		if _, err := e.Wait(ctx, c.ID, WaitRequest{Conditions: []string{Healthy, Exited}, Interval: 250 * time.Millisecond}); err != nil {
			return err
		}
		if s := e.status(c.ID); s.State != Running {
			return errdef.Newf(errdef.ErrConflict, "container %s ended before it was healthy", c.ID)
		}
		notify("READY=1")
	}
	return nil
}

// notify sends a message to the service manager. A container that runs is not
// given up for one that got lost.
func notify(message string) {
	address := os.Getenv(notifyEnv)
	if abstract, ok := strings.CutPrefix(address, "@"); ok {
		address = "\x00" + abstract
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(message))
		conn.Close()
	}
	if err != nil {
		cliout.Warn(os.Stderr, "notify the service manager: %v", err)
	}
}
