package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/utils"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/runtime/internal/filter"
)

// launch starts a process in c, as its init or as a further one.
func (b *builtin) launch(c *libcontainer.Container, spec *specs.Process, stdio IO, extra []*os.File, init bool) (_ Started, err error) {
	p, err := newProcess(spec)
	if err != nil {
		return Started{}, err
	}
	p.Init = init
	// Unless told, init writes down every step, for us to read and drop.
	level := logrus.WarnLevel
	if b.opts.Debug {
		level = logrus.DebugLevel
	}
	p.LogLevel = strconv.Itoa(int(level))
	p.ExtraFiles = extra
	if filter.IsMarker(c.Config().Seccomp) {
		program, err := filter.Open(filepath.Join(b.root, c.ID(), containerFilter))
		if err != nil {
			return Started{}, err
		}
		defer program.Close()
		p.PidfdSocket = program
	}
	var console *os.File
	if stdio.Terminal {
		parent, child, err := utils.NewSockPair("console")
		if err != nil {
			return Started{}, fmt.Errorf("make console socket: %w", err)
		}
		defer parent.Close()
		defer child.Close()
		p.ConsoleSocket, console = child, parent
	} else {
		setFiles(p, stdio)
	}
	if err := c.Start(p); err != nil {
		return Started{}, classify(err)
	}
	pid, err := p.Pid()
	if err != nil {
		return Started{}, fmt.Errorf("read pid of the new process: %w", err)
	}
	started := Started{Pid: pid}
	if console != nil {
		if started.Console, err = receiveConsole(console); err != nil {
			_ = p.Signal(unix.SIGKILL)
			_, werr := p.Wait()
			return Started{}, errors.Join(err, ignoreExit(werr))
		}
	}
	return started, nil
}

// setFiles hands over the files that are there. A nil *os.File must not become
// a non-nil io.Reader.
func setFiles(p *libcontainer.Process, stdio IO) {
	if stdio.Stdin != nil {
		p.Stdin = stdio.Stdin
	}
	if stdio.Stdout != nil {
		p.Stdout = stdio.Stdout
	}
	if stdio.Stderr != nil {
		p.Stderr = stdio.Stderr
	}
}

// ignoreExit drops the error that only says how a process ended.
func ignoreExit(err error) error {
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// receiveConsole reads the pty master that init sent before it reported ready.
func receiveConsole(socket *os.File) (*os.File, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	name := make([]byte, 4096)
	n, oobn, _, _, err := unix.Recvmsg(int(socket.Fd()), name, oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return nil, fmt.Errorf("receive console: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, fmt.Errorf("receive console: %w", err)
	}
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil && len(fds) == 1 {
			return os.NewFile(uintptr(fds[0]), string(name[:n])), nil
		}
	}
	return nil, errors.New("receive console: the message carries no descriptor")
}

// newProcess translates the specification's process.
func newProcess(p *specs.Process) (*libcontainer.Process, error) {
	lp := &libcontainer.Process{
		Args: p.Args, Env: p.Env, Cwd: p.Cwd,
		UID: int(p.User.UID), GID: int(p.User.GID),
		Label: p.SelinuxLabel, AppArmorProfile: p.ApparmorProfile,
		NoNewPrivileges: &p.NoNewPrivileges,
		Scheduler:       p.Scheduler, IOPriority: p.IOPriority,
	}
	if p.ConsoleSize != nil {
		lp.ConsoleWidth, lp.ConsoleHeight = uint16(p.ConsoleSize.Width), uint16(p.ConsoleSize.Height)
	}
	if c := p.Capabilities; c != nil {
		lp.Capabilities = &configs.Capabilities{
			Bounding: c.Bounding, Effective: c.Effective, Inheritable: c.Inheritable,
			Permitted: c.Permitted, Ambient: c.Ambient,
		}
	}
	for _, gid := range p.User.AdditionalGids {
		lp.AdditionalGroups = append(lp.AdditionalGroups, int(gid))
	}
	var err error
	if lp.Rlimits, err = rlimits(p.Rlimits); err != nil {
		return nil, err
	}
	if lp.CPUAffinity, err = configs.ConvertCPUAffinity(p.ExecCPUAffinity); err != nil {
		return nil, fmt.Errorf("read CPU affinity: %w", err)
	}
	return lp, nil
}
