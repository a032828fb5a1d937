package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/opencontainers/cgroups"
	// Lets control groups hold device rules.
	_ "github.com/opencontainers/cgroups/devices"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// builtin is the engine in this process. created holds the containers that
// this process made and has not started.
type builtin struct {
	root string
	opts Options

	mu      sync.Mutex
	created map[string]*spawned
}

func newBuiltin(root string, opts Options) *builtin {
	return &builtin{root: root, opts: opts, created: map[string]*spawned{}}
}

func (b *builtin) Create(ctx context.Context, id, bundle string, spec *specs.Spec, stdio IO) (started Started, err error) {
	if err := ctx.Err(); err != nil {
		return Started{}, err
	}
	if spec == nil {
		if spec, err = ReadSpec(bundle); err != nil {
			return Started{}, err
		}
	}
	if err := validateProcess(spec.Process); err != nil {
		return Started{}, err
	}
	defer WarmCgroups()()
	c, err := b.creation(id, bundle, spec)
	if err != nil {
		return Started{}, err
	}
	c.program = newProgram(len(stdio.ExtraFiles))
	dir, err := b.makeDir(id)
	if err != nil {
		return Started{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(c.cgroup.Destroy()), os.RemoveAll(dir))
		}
	}()
	fifo, err := makeFifo(filepath.Join(dir, execFifo))
	if err != nil {
		return Started{}, err
	}
	if err := c.plan(fifo); err != nil {
		fifo.Close()
		c.program.close()
		return Started{}, err
	}
	defer c.program.close()
	s := &state{ID: id, Bundle: bundle, Annotations: spec.Annotations, Cgroup: c.config, Capabilities: spec.Process.Capabilities,
		Apparmor: spec.Process.ApparmorProfile, SelinuxLabel: spec.Process.SelinuxLabel, Filtered: len(c.filter) > 0, SeccompFlags: seccompFlags(spec.Linux.Seccomp), Hooks: spec.Hooks}
	if s.Rlimits, err = rlimits(spec.Process.Rlimits); err != nil {
		return Started{}, err
	}
	return b.bringUp(c, s, stdio)
}

// bringUp starts the container's init, up to where it waits to be started.
func (b *builtin) bringUp(c *creation, s *state, stdio IO) (started Started, err error) {
	if c.filterFile != "" {
		if err := b.keepFilter(s.ID, c.filterFile); err != nil {
			return Started{}, err
		}
	}
	child, err := spawn(c.program, [3]*os.File{stdio.Stdin, stdio.Stdout, stdio.Stderr}, stdio.ExtraFiles)
	if err != nil {
		return Started{}, err
	}
	started.Console, err = child.follow(func(sync int) (bool, error) {
		switch sync {
		case syncUser:
			return true, writeIDMaps(child.pid, c.spec.Linux)
		case syncGroup:
			return true, errors.Join(c.enterGroup(child.pid), setOOMScore(child.pid, c.spec.Process), enterClass(c.spec.Linux.IntelRdt, child.pid))
		case syncHooks:
			return true, b.createHooks(c, s, child.pid)
		}
		if c.newUser {
			if err := ownStreams(child.pid, &c.spec.Process.User, stdio.Stdin, stdio.Stdout, stdio.Stderr); err != nil {
				return false, err
			}
		}
		return false, b.finish(c, s, child.pid)
	})
	if err == nil {
		err = child.resume()
	}
	if err != nil {
		child.kill()
		child.conn.Close()
		if started.Console != nil {
			started.Console.Close()
		}
		return Started{}, err
	}
	child.state = s
	b.mu.Lock()
	b.created[s.ID] = child
	b.mu.Unlock()
	started.Pid = child.pid
	return started, nil
}

// finish does to a process what only its parent may, and records it.
func (b *builtin) finish(c *creation, s *state, pid int) error {
	if err := adjust(pid, c.spec.Process, s.Rlimits); err != nil {
		return err
	}
	start, _, err := processStart(pid)
	if err != nil {
		return err
	}
	s.Pid, s.PidStart, s.CgroupPaths = pid, start, c.cgroup.GetPaths()
	return b.save(s)
}

// makeDir makes the container's state directory; its name is the container's.
func (b *builtin) makeDir(id string) (string, error) {
	dir, err := b.dir(id)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(b.root, 0o700); err != nil {
		return "", fmt.Errorf("create container %q: %w", id, err)
	}
	err = os.Mkdir(dir, 0o711)
	if errors.Is(err, fs.ErrExist) {
		return "", errdef.Newf(errdef.ErrConflict, "create container %q: container with given ID already exists", id)
	}
	if err != nil {
		return "", fmt.Errorf("create container %q: %w", id, err)
	}
	return dir, nil
}

// makeFifo makes the fifo on which init waits. It is open for both directions,
// so that no opening of it blocks.
func makeFifo(path string) (*os.File, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (b *builtin) Kill(_ context.Context, id string, sig unix.Signal, all bool) error {
	s, err := b.load(id)
	if err != nil {
		return err
	}
	if all {
		m, err := s.manager()
		if err != nil {
			return err
		}
		if pids, err := m.GetAllPids(); err == nil && len(pids) > 0 {
			return signalAll(pids, sig)
		}
	}
	err = s.signal(sig)
	if errors.Is(err, unix.ESRCH) {
		return errdef.Newf(errdef.ErrConflict, "signal container %q: container not running", id)
	}
	return err
}

// signal sends a signal to the init process; ESRCH when it has ended.
func (s *state) signal(sig unix.Signal) error {
	pidfd, err := s.open()
	if err == nil {
		defer unix.Close(pidfd)
		err = unix.PidfdSendSignal(pidfd, sig, nil, 0)
	}
	if err != nil {
		return fmt.Errorf("signal container %q: %w", s.ID, err)
	}
	return nil
}

func signalAll(pids []int, sig unix.Signal) error {
	for _, pid := range pids {
		if err := unix.Kill(pid, sig); err != nil && err != unix.ESRCH {
			return fmt.Errorf("signal process %d: %w", pid, err)
		}
	}
	return nil
}

func (b *builtin) State(_ context.Context, id string) (*specs.State, error) {
	s, err := b.load(id)
	if err != nil {
		return nil, err
	}
	status, err := b.status(s)
	if err != nil {
		return nil, err
	}
	out := &specs.State{Version: specs.Version, ID: id, Status: status, Bundle: s.Bundle, Annotations: s.Annotations}
	if status != specs.StateStopped {
		out.Pid = s.Pid
	}
	return out, nil
}

func (b *builtin) Pause(_ context.Context, id string) error { return b.freeze(id, cgroups.Frozen) }

func (b *builtin) Resume(_ context.Context, id string) error { return b.freeze(id, cgroups.Thawed) }

func (b *builtin) freeze(id string, to cgroups.FreezerState) error {
	s, err := b.load(id)
	if err != nil {
		return err
	}
	status, err := b.status(s)
	switch {
	case err != nil:
		return err
	case to == cgroups.Frozen && status != specs.StateRunning && status != specs.StateCreated:
		return errdef.Newf(errdef.ErrConflict, "pause container %q: container is %s", id, status)
	case to == cgroups.Thawed && status != statePaused:
		return errdef.Newf(errdef.ErrConflict, "resume container %q: container not paused", id)
	}
	m, err := s.manager()
	if err == nil {
		err = m.Freeze(to)
	}
	if err != nil {
		return fmt.Errorf("freeze or thaw container %q: %w", id, err)
	}
	return nil
}

func (b *builtin) Pids(_ context.Context, id string) ([]int, error) {
	s, err := b.load(id)
	if err != nil {
		return nil, err
	}
	m, err := s.manager()
	if err != nil {
		return nil, err
	}
	pids, err := m.GetAllPids()
	if err != nil {
		return nil, fmt.Errorf("list processes of container %q: %w", id, err)
	}
	return pids, nil
}

// creation reads the specification for a new container.
func (b *builtin) creation(id, bundle string, spec *specs.Spec) (*creation, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if spec.Root == nil || spec.Root.Path == "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "the specification of container %q has no root", id)
	}
	if spec.Linux == nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "the specification of container %q is not for Linux", id)
	}
	root := spec.Root.Path
	if !filepath.IsAbs(root) {
		root = filepath.Join(bundle, root)
	}
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fmt.Errorf("open root of container %q: %w", id, err)
	}
	c := &creation{id: id, bundle: bundle, root: root, spec: spec, noKeyring: b.opts.NoKeyring}
	if c.config, err = b.cgroupConfig(id, spec); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "read specification of container %q: %w", id, err)
	}
	c.cgroup = noGroup{}
	if c.config != nil {
		if c.cgroup, err = manager.New(c.config); err != nil {
			return nil, fmt.Errorf("open control group of container %q: %w", id, err)
		}
	}
	c.filter, c.filterFile, err = b.filter(spec.Linux.Seccomp)
	return c, err
}

// maxSpec bounds config.json; the largest real ones have some hundred KiB.
const maxSpec = 16 << 20

// ReadSpec reads config.json of a bundle.
func ReadSpec(bundle string) (*specs.Spec, error) {
	path := filepath.Join(bundle, "config.json")
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	if st.Size() > maxSpec {
		return nil, errdef.Newf(errdef.ErrInvalid, "read bundle: %s is larger than %d bytes", path, maxSpec)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	spec := new(specs.Spec)
	if err := json.Unmarshal(data, spec); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "decode %s: %w", path, err)
	}
	return spec, nil
}

// validateProcess refuses what init would only fail on later.
func validateProcess(p *specs.Process) error {
	switch {
	case p == nil:
		return errdef.Newf(errdef.ErrInvalid, "the container specification has no process")
	case len(p.Args) == 0:
		return errdef.Newf(errdef.ErrInvalid, "the process has no command")
	case !filepath.IsAbs(p.Cwd):
		return errdef.Newf(errdef.ErrInvalid, "the working directory %q is not an absolute path", p.Cwd)
	case p.OOMScoreAdj != nil && (*p.OOMScoreAdj < -1000 || *p.OOMScoreAdj > 1000):
		return errdef.As(ErrFailed, fmt.Errorf("%w: write to `/proc/self/oom_score_adj`: Invalid argument", ErrFailed))
	}
	return nil
}
