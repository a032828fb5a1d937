package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/userns"
)

// hookState is what hooks read on their standard input.
func (s *state) hookState(status specs.ContainerState) ([]byte, error) {
	told := specs.State{Version: specs.Version, ID: s.ID, Status: status, Bundle: s.Bundle, Annotations: s.Annotations}
	if status != specs.StateStopped {
		told.Pid = s.Pid
	}
	return json.Marshal(told)
}

// runHooks runs programs of the host's one after the other; the first that
// fails is the error. With join they run in the namespaces of that process.
func (s *state) runHooks(stage string, hooks []specs.Hook, status specs.ContainerState, join *os.File) error {
	if len(hooks) == 0 {
		return nil
	}
	input, err := s.hookState(status)
	if err != nil {
		return err
	}
	for i := range hooks {
		var said bytes.Buffer
		if join == nil {
			err = RunHook(context.Background(), &hooks[i], s.Bundle, input, &said, &said)
		} else {
			err = joined(join, func() error { return RunHook(context.Background(), &hooks[i], "", input, &said, &said) })
		}
		if text := bytes.TrimSpace(said.Bytes()); err != nil && len(text) > 0 {
			err = fmt.Errorf("%w: %s", err, text)
		}
		if err != nil {
			return errdef.As(ErrFailed, fmt.Errorf("%w: %s hook `%s`: %w", ErrFailed, stage, hooks[i].Path, err))
		}
	}
	return nil
}

// RunHook runs a program of the host's in the directory, with the input on its
// standard input and the environment that the hook names, no longer than it
// may take.
func RunHook(ctx context.Context, h *specs.Hook, dir string, input []byte, stdout, stderr io.Writer) error {
	if h.Timeout != nil {
		limited, cancel := context.WithTimeout(ctx, time.Duration(*h.Timeout)*time.Second)
		defer cancel()
		ctx = limited
	}
	cmd := exec.CommandContext(ctx, h.Path)
	if len(h.Args) > 0 {
		cmd.Args = h.Args
	}
	cmd.Env, cmd.Dir, cmd.Stdin = append([]string{}, h.Env...), dir, bytes.NewReader(input)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = time.Second // what it left running may hold its output open
	err := cmd.Run()
	if h.Timeout != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("it took longer than %d s", *h.Timeout)
	}
	return err
}

// joined runs do on a thread in the namespaces of the pidfd's process, but
// for its user namespace, which a process of several threads can't enter.
func joined(pidfd *os.File, do func() error) (err error) {
	userns.OnThread(func() {
		if err = unix.Unshare(unix.CLONE_FS); err == nil {
			err = unix.Setns(int(pidfd.Fd()), unix.CLONE_NEWNS|unix.CLONE_NEWNET|unix.CLONE_NEWUTS|unix.CLONE_NEWIPC)
		}
		if err != nil {
			err = fmt.Errorf("enter the container's namespaces: %w", err)
			return
		}
		err = do()
	})
	return err
}

// createHooks runs the hooks that come before the container's root becomes /.
func (b *builtin) createHooks(c *creation, s *state, pid int) error {
	hooks := c.spec.Hooks
	s.Pid = pid
	//lint:ignore SA1019 // prestart is what most hooks still are
	first := slices.Concat(hooks.Prestart, hooks.CreateRuntime)
	if err := s.runHooks("createRuntime", first, specs.StateCreating, nil); err != nil || len(hooks.CreateContainer) == 0 {
		return err
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("run createContainer hooks: %w", err)
	}
	join := os.NewFile(uintptr(pidfd), "container")
	defer join.Close()
	return s.runHooks("createContainer", hooks.CreateContainer, specs.StateCreating, join)
}

// startHooks runs the hooks that are programs of the container's: with its
// rights, in its namespaces, while its first process waits for the start.
func (b *builtin) startHooks(ctx context.Context, s *state) error {
	for _, h := range s.Hooks.StartContainer {
		input, err := s.hookState(specs.StateCreated)
		if err != nil {
			return err
		}
		if err := b.startHook(ctx, s, &h, input); err != nil {
			return errdef.As(ErrFailed, fmt.Errorf("%w: startContainer hook `%s`: %w", ErrFailed, h.Path, err))
		}
	}
	return nil
}

func (b *builtin) startHook(ctx context.Context, s *state, h *specs.Hook, input []byte) error {
	stdin, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	_, err = w.Write(input) // it fits into a pipe
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	args := []string{h.Path}
	if len(h.Args) > 1 {
		args = append(args, h.Args[1:]...)
	}
	started, err := b.Exec(ctx, s.ID, Process{Process: &specs.Process{Args: args, Env: h.Env, Cwd: "/"}, IO: IO{Stdin: stdin}})
	if err != nil {
		return err
	}
	if h.Timeout != nil {
		defer time.AfterFunc(time.Duration(*h.Timeout)*time.Second, func() { _ = unix.Kill(started.Pid, unix.SIGKILL) }).Stop()
	}
	var status unix.WaitStatus
	for {
		if _, err = unix.Wait4(started.Pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	if err == nil && status != 0 {
		err = fmt.Errorf("it ended with status %d", status.ExitStatus())
	}
	return err
}

// AddHook puts a hook to a stage of the specification.
func AddHook(spec *specs.Spec, stage string, hook specs.Hook) error {
	if spec.Hooks == nil {
		spec.Hooks = new(specs.Hooks)
	}
	h := spec.Hooks
	//lint:ignore SA1019 // prestart is what most hooks still are
	list, ok := map[string]*[]specs.Hook{"prestart": &h.Prestart, "createRuntime": &h.CreateRuntime, "createContainer": &h.CreateContainer,
		"startContainer": &h.StartContainer, "poststart": &h.Poststart, "poststop": &h.Poststop}[stage]
	if !ok {
		return errdef.Newf(errdef.ErrInvalid, "unknown stage %q", stage)
	}
	*list = append(*list, hook)
	return nil
}

// resctrl is where the kernel has its classes of memory and cache bandwidth.
const resctrl = "/sys/fs/resctrl"

// enterClass puts a process into the class of the specification.
func enterClass(r *specs.LinuxIntelRdt, pid int) error {
	if r == nil {
		return nil
	}
	if err := CheckClass(r.ClosID); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(resctrl, r.ClosID, "tasks"), fmt.Append(nil, pid), 0); err != nil {
		return fmt.Errorf("enter class %q: %w", r.ClosID, err)
	}
	return nil
}

// CheckClass says why the kernel hasn't got the class, if so.
func CheckClass(name string) error {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") || slices.Contains([]string{"info", "mon_data", "mon_groups"}, name) {
		return errdef.Newf(errdef.ErrInvalid, "invalid class %q of Intel RDT", name)
	}
	if _, err := os.Stat(filepath.Join(resctrl, "schemata")); err != nil {
		return errdef.Newf(errdef.ErrUnsupported, "class %q of Intel RDT: %s is not mounted, or this processor has none", name, resctrl)
	}
	if _, err := os.Stat(filepath.Join(resctrl, name, "tasks")); err != nil {
		return errdef.Newf(errdef.ErrNotFound, "class %q of Intel RDT: there is no %s", name, filepath.Join(resctrl, name))
	}
	return nil
}
