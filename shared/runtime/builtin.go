package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	// Lets control groups hold device rules.
	_ "github.com/opencontainers/cgroups/devices"
	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// builtin is the engine in this process. live holds the containers that this
// process made, so that it need not read their state back.
type builtin struct {
	root string
	opts Options

	mu   sync.Mutex
	live map[string]*libcontainer.Container
}

func newBuiltin(root string, opts Options) *builtin {
	return &builtin{root: root, opts: opts, live: map[string]*libcontainer.Container{}}
}

func (b *builtin) Create(ctx context.Context, id, bundle string, spec *specs.Spec, stdio IO) (Started, error) {
	if err := ctx.Err(); err != nil {
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
	defer WarmCgroups()()
	cached, err := b.storedFilter(spec)
	if err != nil {
		return Started{}, err
	}
	config, err := b.config(id, bundle, spec, cached != "")
	if err != nil {
		return Started{}, err
	}
	c, err := libcontainer.Create(b.root, id, config)
	if err != nil {
		return Started{}, wrap("create", id, err)
	}
	if cached != "" {
		err = b.keepFilter(id, cached)
	}
	var started Started
	if err == nil {
		started, err = b.launch(c, spec.Process, stdio, nil, true)
	}
	if err != nil {
		return Started{}, errors.Join(err, b.discard(c))
	}
	b.remember(id, c)
	return started, nil
}

// discard takes back a container whose init never came up.
func (b *builtin) discard(c *libcontainer.Container) error {
	if err := c.Destroy(); err != nil {
		return fmt.Errorf("remove container %q after its failure: %w", c.ID(), err)
	}
	return nil
}

func (b *builtin) Exec(ctx context.Context, id string, p Process) (Started, error) {
	if err := ctx.Err(); err != nil {
		return Started{}, err
	}
	if err := validateProcess(p.Process); err != nil {
		return Started{}, err
	}
	defer WarmCgroups()()
	c, err := b.load(id)
	if err != nil {
		return Started{}, err
	}
	status, err := c.Status()
	if err != nil {
		return Started{}, wrap("read state of", id, err)
	}
	switch status {
	case libcontainer.Stopped:
		return Started{}, errdef.Newf(errdef.ErrConflict, "exec in container %q: container is not running", id)
	case libcontainer.Paused:
		return Started{}, errdef.Newf(errdef.ErrConflict, "exec in container %q: container is paused", id)
	}
	return b.launch(c, p.Process, p.IO, p.ExtraFiles, false)
}

func (b *builtin) Kill(_ context.Context, id string, sig unix.Signal, all bool) error {
	c, err := b.load(id)
	if err != nil {
		return err
	}
	if !all {
		return wrap("signal", id, c.Signal(sig))
	}
	pids, err := c.Processes()
	if err != nil {
		return wrap("list processes of", id, err)
	}
	if len(pids) == 0 {
		return wrap("signal", id, c.Signal(sig))
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, sig); err != nil && err != unix.ESRCH {
			return wrap("signal", id, err)
		}
	}
	return nil
}

func (b *builtin) State(_ context.Context, id string) (*specs.State, error) {
	c, err := b.load(id)
	if err != nil {
		return nil, err
	}
	state, err := c.OCIState()
	if err != nil {
		return nil, wrap("read state of", id, err)
	}
	return state, nil
}

func (b *builtin) Pause(_ context.Context, id string) error {
	c, err := b.load(id)
	if err != nil {
		return err
	}
	return wrap("pause", id, c.Pause())
}

func (b *builtin) Resume(_ context.Context, id string) error {
	c, err := b.load(id)
	if err != nil {
		return err
	}
	return wrap("resume", id, c.Resume())
}

func (b *builtin) Pids(_ context.Context, id string) ([]int, error) {
	c, err := b.load(id)
	if err != nil {
		return nil, err
	}
	pids, err := c.Processes()
	if err != nil {
		return nil, wrap("list processes of", id, err)
	}
	return pids, nil
}

func (b *builtin) remember(id string, c *libcontainer.Container) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live[id] = c
}

func (b *builtin) forget(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.live, id)
}

// load finds a container, in memory or by its state file.
func (b *builtin) load(id string) (*libcontainer.Container, error) {
	b.mu.Lock()
	c := b.live[id]
	b.mu.Unlock()
	if c != nil {
		if _, err := os.Stat(filepath.Join(b.root, id)); err == nil {
			return c, nil
		}
		b.forget(id)
	}
	c, err := libcontainer.Load(b.root, id)
	if err != nil {
		return nil, wrap("load", id, err)
	}
	return c, nil
}

// wrap says what failed on which container and adds the class.
func wrap(verb, id string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s container %q: %w", verb, id, err)
	switch {
	case errors.Is(err, libcontainer.ErrNotExist):
		return errdef.As(errdef.ErrNotFound, err)
	case errors.Is(err, libcontainer.ErrInvalidID):
		return errdef.As(errdef.ErrInvalid, err)
	case errors.Is(err, libcontainer.ErrExist), errors.Is(err, libcontainer.ErrNotRunning),
		errors.Is(err, libcontainer.ErrRunning), errors.Is(err, libcontainer.ErrNotPaused), errors.Is(err, libcontainer.ErrPaused):
		return errdef.As(errdef.ErrConflict, err)
	}
	return err
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

// validateProcess refuses what the engine would only fail on later.
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
