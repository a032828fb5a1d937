package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"golang.org/x/sys/unix"
)

// ExecRequest asks for one more process in a running container.
type ExecRequest struct {
	Command     []string
	Env         []string
	EnvFiles    []string
	User        string
	WorkDir     string
	Terminal    bool
	Interactive bool
	Detach      bool
	Privileged  bool
	PreserveFDs uint   // how many descriptors behind the standard ones are passed on
	PreserveFD  []uint // single ones
	NoSession   bool   // keep no record of it
	Streams     Streams

	// Started gets the session's ID once the process runs; nil is nobody.
	Started func(id string)
}

// Exec runs a process in the container and, unless detached, waits for it and
// returns its exit status. The process is a child of this one: a foreground
// exec needs no monitor.
func (e *Engine) Exec(ctx context.Context, nameOrID string, req ExecRequest) (status int, err error) {
	c, err := e.Lookup(nameOrID)
	if err != nil {
		return 0, err
	}
	if len(req.Command) == 0 {
		return 0, errdef.Newf(errdef.ErrInvalid, "must provide a non-empty command to start an exec session: invalid argument")
	}
	config, err := e.configuration(c.ID)
	if err != nil {
		return 0, err
	}
	state := e.status(c.ID)
	if state.State != Running {
		return 0, &errdef.Exit{Code: 255, Err: errdef.Newf(errdef.ErrConflict, "can only create exec sessions on running containers: container state improper")}
	}
	keys, err := parseDetachKeys(first(req.Streams.DetachKeys, config.DetachKeys))
	if err != nil {
		return 0, &errdef.Exit{Code: 255, Err: err}
	}
	defer runtime.WarmCgroups()()
	process, err := e.execProcess(config, state.Pid, &req)
	if err != nil {
		return 0, err
	}
	rt, err := e.runtime(config.Runtime)
	if err != nil {
		return 0, err
	}
	extra, err := preserved(req.PreserveFDs, req.PreserveFD)
	if err != nil {
		return 0, err
	}
	pipes, err := newPipes(&req)
	if err != nil {
		return 0, err
	}
	pipes.theirs.ExtraFiles = extra
	started, err := rt.Exec(ctx, c.ID, runtime.Process{Process: process, IO: pipes.theirs})
	pipes.closeTheirs()
	if err != nil {
		return 0, &errdef.Exit{Code: runtime.ExitCode(err, 126), Err: err}
	}
	session, err := e.execStarted(config, started.Pid, &req)
	if err != nil {
		return 0, err
	}
	if !req.Detach {
		defer func() { err = errors.Join(err, e.execEnded(config, session, status)) }()
	}
	if req.Detach {
		if started.Console != nil {
			started.Console.Close()
		}
		return 0, nil
	}
	if started.Console != nil {
		return terminalSession(started, req.Streams, keys)
	}
	if req.Streams.SigProxy {
		defer proxySignals(started.Pid)()
	}
	pipes.copy(req.Streams)
	status, err = waitChild(started.Pid)
	pipes.drain()
	return status, err
}

// execStarted records that the process runs and tells its session's ID.
func (e *Engine) execStarted(c *container.Config, pid int, req *ExecRequest) (session string, err error) {
	session = container.NewID()
	if !req.NoSession {
		err = e.keepExec(c.ID, session, pid)
	}
	e.event(containerEvent(c, "exec"))
	if req.Started != nil {
		req.Started(session)
	}
	return session, err
}

func (e *Engine) execEnded(c *container.Config, session string, status int) error {
	died := containerEvent(c, "exec_died")
	died.ContainerExitCode = &status
	e.event(died)
	return e.forgetExec(c.ID, session)
}

// execProcess makes the process's specification: what is not asked for is as
// the container has it. Its users are looked up in what its first process has
// for a root, mounts included.
func (e *Engine) execProcess(c *container.Config, pid int, req *ExecRequest) (*specs.Process, error) {
	user, err := lookupUser(fmt.Sprintf("/proc/%d/root", pid), first(req.User, c.User), c.Groups)
	if err != nil {
		return nil, &errdef.Exit{Code: 255, Err: err}
	}
	env := append([]string(nil), c.Env...)
	if req.Terminal {
		env = setEnv(env, "TERM=xterm")
	}
	env = defaultEnv(env, user, e.hostname(c))
	if env, err = e.secretEnv(c, env); err != nil {
		return nil, err
	}
	for _, file := range req.EnvFiles {
		lines, err := readLines(file)
		if err != nil {
			return nil, err
		}
		for _, kv := range lines {
			if env, err = addEnv(env, kv); err != nil {
				return nil, err
			}
		}
	}
	for _, kv := range req.Env {
		if env, err = addEnv(env, kv); err != nil {
			return nil, err
		}
	}
	p := &specs.Process{Args: req.Command, Env: env, Cwd: first(req.WorkDir, c.WorkDir), Terminal: req.Terminal,
		User: user.spec(), NoNewPrivileges: c.Security.NoNewPrivileges}
	security := c.Security
	security.Privileged = security.Privileged || req.Privileged
	p.Capabilities, err = e.capabilities(&security, user.UID)
	return p, err
}

// pipes connect a process with this command. What is a pipe or a socket
// already goes to the process as it is; a terminal or a file of the host does
// not, for a process could do more with it than read or write.
type pipes struct {
	theirs  runtime.IO
	opened  []*os.File // of theirs, to be closed here once they are passed on
	in      *os.File   // our end
	out     [2]*os.File
	copying sync.WaitGroup
}

func newPipes(req *ExecRequest) (*pipes, error) {
	p := &pipes{theirs: runtime.IO{Terminal: req.Terminal}}
	if req.Terminal || req.Detach {
		return p, nil
	}
	var err error
	if req.Interactive && req.Streams.In != nil {
		if isPipe(req.Streams.In) {
			p.theirs.Stdin = req.Streams.In
		} else if p.theirs.Stdin, p.in, err = os.Pipe(); err != nil {
			return nil, fmt.Errorf("open pipe: %w", err)
		} else {
			p.opened = append(p.opened, p.theirs.Stdin)
		}
	}
	for i, s := range []struct {
		ours   *os.File
		theirs **os.File
	}{{req.Streams.Out, &p.theirs.Stdout}, {req.Streams.Err, &p.theirs.Stderr}} {
		switch {
		case s.ours == nil:
		case isPipe(s.ours):
			*s.theirs = s.ours
		default:
			if p.out[i], *s.theirs, err = os.Pipe(); err != nil {
				return nil, fmt.Errorf("open pipe: %w", err)
			}
			p.opened = append(p.opened, *s.theirs)
		}
	}
	return p, nil
}

func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}

func (p *pipes) closeTheirs() { closeAll(p.opened) }

func (p *pipes) copy(s Streams) {
	if p.in != nil {
		go func() {
			io.Copy(p.in, s.In)
			p.in.Close()
		}()
	}
	for i, to := range []*os.File{s.Out, s.Err} {
		if from := p.out[i]; from != nil {
			p.copying.Go(func() { io.Copy(to, from) })
		}
	}
}

// drain waits for the rest of the output of a process that has ended. What it
// left running may hold the pipes open; that is not waited for.
func (p *pipes) drain() {
	done := make(chan struct{})
	go func() { p.copying.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(250 * time.Millisecond):
	}
}

// terminalSession serves a process on a terminal of its own until it ends.
func terminalSession(s runtime.Started, streams Streams, keys []byte) (status int, err error) {
	master := s.Console
	defer master.Close()
	defer rawTerminal(streams.In)()
	defer watchSize(firstTerminal(streams.Out, streams.In), func(rows, cols int) {
		unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(cols)})
	})()
	if streams.SigProxy {
		defer proxySignals(s.Pid)()
	}
	detached := make(chan struct{})
	if streams.In != nil {
		go copyKeys(master, streams.In, keys, detached)
	}
	output := make(chan struct{})
	go func() {
		// EIO is how a terminal's output ends.
		if streams.Out != nil {
			io.Copy(streams.Out, master)
		}
		close(output)
	}()
	ended := make(chan struct{})
	go func() {
		status, err = waitChild(s.Pid)
		close(ended)
	}()
	select {
	case <-detached:
		return 0, nil
	case <-ended:
	}
	select {
	case <-output:
	case <-time.After(250 * time.Millisecond):
	}
	return status, err
}

// copyKeys passes typed keys to a terminal. The end of the input is typed as
// ^D, which is what ends the input of a terminal.
func copyKeys(master, in *os.File, keys []byte, detached chan struct{}) {
	buf := make([]byte, 4096)
	match := detachMatcher{keys: keys}
	for {
		n, err := in.Read(buf)
		data, left := match.filter(buf[:n])
		if _, werr := master.Write(data); werr != nil {
			return
		}
		if left {
			close(detached)
			return
		}
		if err != nil {
			master.Write([]byte{4})
			return
		}
	}
}

// waitChild waits for a child process; one that a signal killed has status
// 128 and the signal.
func waitChild(pid int) (status int, err error) {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return -1, fmt.Errorf("wait for process %d: %w", pid, err)
		}
	}
	if ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return ws.ExitStatus(), nil
}
