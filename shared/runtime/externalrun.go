package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// consoleWait bounds the wait for the pty of a process that has started.
const consoleWait = 10 * time.Second

func (e *external) Create(ctx context.Context, id, bundle string, spec *specs.Spec, stdio IO) (Started, error) {
	if err := checkID(id); err != nil {
		return Started{}, err
	}
	if spec == nil {
		var err error
		if spec, err = ReadSpec(bundle); err != nil {
			return Started{}, err
		}
	}
	if err := validateProcess(spec.Process); err != nil {
		return Started{}, err
	}
	s, proc := *spec, *spec.Process
	proc.Terminal = stdio.Terminal
	s.Process = &proc
	if lin := s.Linux; lin != nil && lin.CgroupsPath == "" && CgroupsUsable(e.opts) {
		l := *lin
		l.CgroupsPath = CgroupsPath(e.opts, id)
		s.Linux = &l
	}
	if err := writeJSON(filepath.Join(bundle, "config.json"), &s); err != nil {
		return Started{}, err
	}
	return e.launch(ctx, id, stdio, "create", "--bundle", bundle)
}

func (e *external) Exec(ctx context.Context, id string, p Process) (Started, error) {
	if err := checkID(id); err != nil {
		return Started{}, err
	}
	if err := validateProcess(p.Process); err != nil {
		return Started{}, err
	}
	dir, err := os.MkdirTemp("", "exec-")
	if err != nil {
		return Started{}, fmt.Errorf("make process file: %w", err)
	}
	defer os.RemoveAll(dir)
	proc := *p.Process
	proc.Terminal = p.IO.Terminal
	file := filepath.Join(dir, "process.json")
	if err := writeJSON(file, &proc); err != nil {
		return Started{}, err
	}
	return e.launch(ctx, id, p.IO, "exec", "--detach", "--process", file)
}

// launch runs a subcommand that starts a process and leaves it to us.
func (e *external) launch(ctx context.Context, id string, stdio IO, args ...string) (_ Started, err error) {
	// The process outlives the runtime program, its parent, and is then ours.
	if err := SetSubreaper(); err != nil {
		return Started{}, fmt.Errorf("become subreaper: %w", err)
	}
	dir, err := os.MkdirTemp("", "oci-")
	if err != nil {
		return Started{}, fmt.Errorf("make runtime directory: %w", err)
	}
	defer os.RemoveAll(dir)
	pidFile, logFile := filepath.Join(dir, "pid"), filepath.Join(dir, "log")
	args = append(args, "--pid-file", pidFile)
	var socket *net.UnixListener
	if stdio.Terminal {
		path := filepath.Join(dir, "console")
		if socket, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}); err != nil {
			return Started{}, fmt.Errorf("listen for console: %w", err)
		}
		defer socket.Close()
		args = append(args, "--console-socket", path)
	}
	if n := len(stdio.ExtraFiles); n > 0 {
		args = append(args, "--preserve-fds", strconv.Itoa(n))
	}
	cmd := e.command(ctx, logFile, append(args, id)...)
	cmd.ExtraFiles = stdio.ExtraFiles
	connect(cmd, stdio)
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(logFile)
		return Started{}, e.launchError(id, args[0], err, string(said))
	}
	return e.started(pidFile, socket)
}

// connect gives the runtime program the files that its container inherits.
func connect(cmd *exec.Cmd, stdio IO) {
	if stdio.Terminal {
		return
	}
	if stdio.Stdin != nil {
		cmd.Stdin = stdio.Stdin
	}
	if stdio.Stdout != nil {
		cmd.Stdout = stdio.Stdout
	}
	if stdio.Stderr != nil {
		cmd.Stderr = stdio.Stderr
	}
}

func (e *external) launchError(id, verb string, err error, said string) error {
	said = plainMessage(said)
	for _, state := range []string{"does not exist", "already exists", "not running", "stopped container", "paused container"} {
		if strings.Contains(said, state) {
			failed := e.failure(id, verb, err, said)
			if errors.Is(failed, errdef.ErrNotFound) {
				return failed
			}
			return errdef.As(errdef.ErrConflict, failed)
		}
	}
	if said == "" {
		said = err.Error()
	}
	return classify(errors.New(filepath.Base(e.path) + ": " + said))
}

// started reads the new process's pid and, with a socket, its console.
func (e *external) started(pidFile string, socket *net.UnixListener) (Started, error) {
	data, err := os.ReadFile(pidFile)
	if err != nil {
		return Started{}, fmt.Errorf("read pid of the new process: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return Started{}, fmt.Errorf("read pid of the new process: %w", err)
	}
	if socket == nil {
		return Started{Pid: pid}, nil
	}
	if err := socket.SetDeadline(time.Now().Add(consoleWait)); err != nil {
		return Started{}, fmt.Errorf("wait for console: %w", err)
	}
	conn, err := socket.AcceptUnix()
	if err != nil {
		return Started{}, fmt.Errorf("wait for console: %w", err)
	}
	defer conn.Close()
	file, err := conn.File()
	if err != nil {
		return Started{}, fmt.Errorf("receive console: %w", err)
	}
	defer file.Close()
	console, err := receiveConsole(file)
	if err != nil {
		return Started{}, err
	}
	return Started{Pid: pid, Console: console}, nil
}

// receiveConsole reads the pty master that a runtime sent to its console socket.
func receiveConsole(socket *os.File) (*os.File, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	name := make([]byte, 4096)
	_, oobn, _, _, err := unix.Recvmsg(int(socket.Fd()), name, oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return nil, fmt.Errorf("receive console: %w", err)
	}
	return receivedFile(oob[:oobn])
}
