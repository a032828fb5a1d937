package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// execFifo is the file in a container's state directory from which its init
// reads a byte just before it executes the user's command.
const execFifo = "exec.fifo"

// Start writes the byte that init waits for. In the process that created the
// container it returns when the command runs, or with why it can't.
func (b *builtin) Start(ctx context.Context, id string) error {
	dir, err := b.dir(id)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, execFifo)
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return b.notStartable(id, dir)
	case errors.Is(err, unix.ENXIO):
		return errdef.Newf(errdef.ErrConflict, "start container %q: its init process is dead", id)
	case err != nil:
		return fmt.Errorf("start container %q: open %s: %w", id, path, err)
	}
	b.mu.Lock()
	child := b.created[id]
	delete(b.created, id)
	b.mu.Unlock()
	var s *state
	if child != nil {
		defer child.conn.Close()
		s = child.state
	} else {
		s, err = b.load(id)
	}
	if err == nil && s.Hooks != nil {
		err = b.startHooks(ctx, s)
	}
	if err == nil {
		_, err = unix.Write(fd, []byte{0})
	}
	unix.Close(fd)
	if err != nil {
		return fmt.Errorf("start container %q: %w", id, err)
	}
	if err := os.Remove(path); err != nil {
		// Whoever removed it started the container.
		return b.notStartable(id, dir)
	}
	if child != nil {
		if err := child.executed(); err != nil {
			return err
		}
	}
	if s.Hooks == nil {
		return nil
	}
	return s.runHooks("poststart", s.Hooks.Poststart, specs.StateRunning, nil)
}

// notStartable says why there is no fifo to open.
func (b *builtin) notStartable(id, dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return errdef.Newf(errdef.ErrNotFound, "start container %q: container does not exist", id)
	}
	return errdef.Newf(errdef.ErrConflict, "start container %q: container has been started already", id)
}

// checkID refuses what can't be one path element made of safe characters.
func checkID(id string) error {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_+-.", r)
	}
	if id == "" || id == "." || id == ".." || strings.ContainsFunc(id, func(r rune) bool { return !ok(r) }) {
		return errdef.Newf(errdef.ErrInvalid, "invalid container ID %q", id)
	}
	return nil
}
