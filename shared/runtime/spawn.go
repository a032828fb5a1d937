package runtime

import (
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/carried"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/memfile"
)

// initImage holds the init program, put there by `make build`.
//
//go:embed all:image
var initImage embed.FS

// sealedInit is the init program in a memory file that nobody can write to: a
// container can reach the program that its processes started from.
var sealedInit = sync.OnceValues(func() (*os.File, error) {
	image, err := initImage.ReadFile("image/init")
	if err != nil {
		return nil, errdef.Newf(errdef.ErrUnsupported, "this program was built without its container init: build it with make")
	}
	return memfile.Sealed("container-init", image)
})

// InstallPause makes sure that a program that does nothing lies in dir, for a
// container whose first process only holds its namespaces, and returns its
// path. It has to be started by an absolute path. It is the init program.
func InstallPause(dir string) (string, error) {
	return carried.Install(initImage, "image/init", dir, "podman-pause")
}

// Kinds of struct message.
const (
	msgPid = 1 + iota
	msgSync
	msgConsole
	msgError
	msgChdir
	msgCommand
)

const messageSize = 64

// message is what the init image says: struct message.
type message struct {
	kind  uint32
	value int32
	op    uint32
	step  string
	file  *os.File // with msgConsole
}

// spawned is a running init image, seen from its parent.
type spawned struct {
	program *program
	pid     int
	conn    *os.File
	state   *state // of a container that was created
}

// spawn starts the init image with the program's list. Nil streams are
// /dev/null; extra become the command's descriptors 3 and up.
func spawn(p *program, streams [3]*os.File, extra []*os.File) (_ *spawned, err error) {
	image, err := sealedInit()
	if err != nil {
		return nil, err
	}
	// Whatever a library or a parent forgot to mark.
	if err := unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return nil, fmt.Errorf("mark descriptors: %w", err)
	}
	list, err := p.bytes()
	if err != nil {
		return nil, err
	}
	program, err := memfile.Sealed("container-program", list)
	if err != nil {
		return nil, err
	}
	defer program.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "init"), os.NewFile(uintptr(pair[1]), "init")
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		ours.Close()
		return nil, err
	}
	defer null.Close()
	var files []*os.File
	for _, f := range streams {
		if f == nil {
			f = null
		}
		files = append(files, f)
	}
	files = slices.Concat(files, extra, []*os.File{theirs, program}, p.files)
	path, done, err := carried.Path(image, files)
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("start container init: %w", err)
	}
	defer done()
	fds := make([]uintptr, len(files))
	for i, f := range files {
		fds[i] = f.Fd()
	}
	argv := make([]string, 1+p.keep)
	argv[0] = "container-init"
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{Files: fds, Env: []string{}})
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("start container init: %w", err)
	}
	return &spawned{program: p, pid: pid, conn: ours}, nil
}

// next receives a message. Ended tells of the end of the program, or of the
// execution of the command. Errors that the program reports are returned.
func (s *spawned) next() (m message, ended bool, err error) {
	var buf [messageSize]byte
	oob := make([]byte, unix.CmsgSpace(4))
	var n, oobn int
	for {
		n, oobn, _, _, err = unix.Recvmsg(int(s.conn.Fd()), buf[:], oob, unix.MSG_CMSG_CLOEXEC)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	switch {
	case err != nil && !errors.Is(err, unix.ECONNRESET):
		return m, false, fmt.Errorf("receive from container init: %w", err)
	case n != messageSize:
		return m, true, nil
	}
	order := binary.NativeEndian
	m.kind, m.value, m.op = order.Uint32(buf[:]), int32(order.Uint32(buf[4:])), order.Uint32(buf[8:])
	m.step = unix.ByteSliceToString(buf[12:])
	if oobn > 0 {
		if m.file, err = receivedFile(oob[:oobn]); err != nil {
			return m, false, err
		}
	}
	return m, false, s.failure(&m)
}

func receivedFile(oob []byte) (*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("receive console: %w", err)
	}
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil && len(fds) == 1 {
			return os.NewFile(uintptr(fds[0]), "console"), nil
		}
	}
	return nil, errors.New("receive console: the message carries no descriptor")
}

// failure is the error that a message reports, in the words that scripts know.
func (s *spawned) failure(m *message) error {
	errno, about := unix.Errno(m.value), ""
	if int(m.op) < len(s.program.about) {
		about = s.program.about[m.op]
	}
	switch m.kind {
	case msgError:
		if about != "" {
			about += ": "
		}
		return errdef.As(ErrFailed, fmt.Errorf("%w: %s%s: %w", ErrFailed, about, m.step, errno))
	case msgChdir:
		if errno == unix.EACCES {
			return errdef.As(ErrNotExecutable, fmt.Errorf("chdir to `%s`%s%w", about, denied, ErrNotExecutable))
		}
		return errdef.As(ErrCommandNotFound, fmt.Errorf("chdir to `%s`%s%w", about, noSuchFile, ErrCommandNotFound))
	case msgCommand:
		return commandFailure(about, errno)
	}
	return nil
}

// resume lets the program go on after a msgSync or a msgPid.
func (s *spawned) resume() error {
	if err := unix.Send(int(s.conn.Fd()), []byte{1}, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("answer container init: %w", err)
	}
	return nil
}

// kill ends the process and collects it.
func (s *spawned) kill() {
	_ = unix.Kill(s.pid, unix.SIGKILL)
	reap(s.pid)
}

func reap(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// follow answers messages until a msgSync that do has no answer for: do is
// called with each number and returns whether to go on listening. It keeps
// pid and the console up to date.
func (s *spawned) follow(do func(sync int) (more bool, err error)) (console *os.File, err error) {
	for {
		m, ended, err := s.next()
		switch {
		case err != nil:
			return console, err
		case ended:
			return console, errdef.As(ErrFailed, fmt.Errorf("%w: container init ended without a word", ErrFailed))
		}
		switch m.kind {
		case msgPid:
			reap(s.pid) // it has handed over to another
			s.pid = int(m.value)
			if err := s.resume(); err != nil {
				return console, err
			}
		case msgConsole:
			console = m.file
		case msgSync:
			more, err := do(int(m.value))
			if err != nil || !more {
				return console, err
			}
			if err := s.resume(); err != nil {
				return console, err
			}
		}
	}
}
