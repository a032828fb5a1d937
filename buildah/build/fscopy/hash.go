package fscopy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const bufferSize = 256 << 10

// workers is how many files are read at once.
func workers() int { return max(2, runtime.GOMAXPROCS(0)) }

// Hash fills in the digests of the sources' regular files, from memory where
// it has them.
func (t *Tree) Hash(ctx context.Context, sources []Source, memory *Memory) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers())
	for s := range sources {
		for i := range sources[s].Entries {
			e := &sources[s].Entries[i]
			if !e.IsRegular() || e.Digest != "" || memory.recall(e) {
				continue
			}
			top := i == 0
			group.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				return t.hashEntry(e, top, memory)
			})
		}
	}
	return group.Wait()
}

func (t *Tree) hashEntry(e *Entry, top bool, memory *Memory) error {
	fd, err := t.openRegular(e, top)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	h := sha256.New()
	if err := copyBytes(-1, fd, e.Stat.Size, h); err != nil {
		return fmt.Errorf("read %q: %w", path.Join(t.Dir, e.Path), err)
	}
	e.Digest = hex.EncodeToString(h.Sum(nil))
	memory.remember(e)
	return nil
}

// openFile opens a regular file of the tree for reading.
func (t *Tree) openFile(e *Entry, top bool) (*os.File, error) {
	fd, err := t.openRegular(e, top)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), e.Path), nil
}

// openRegular opens a regular file of the tree for reading. If it is not the
// file that was listed any more, the entry is brought up to date.
func (t *Tree) openRegular(e *Entry, top bool) (int, error) {
	flags := unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	if !top {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := openFD(int(t.root.Fd()), e.Path, flags, 0, true)
	if err != nil {
		return -1, fmt.Errorf("open %q under %q: %w", e.Path, t.Dir, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return -1, fmt.Errorf("open %q under %q: no longer a regular file", e.Path, t.Dir)
	}
	if recordOf(&st) != recordOf(&e.Stat) {
		e.Stat, e.Digest = st, ""
	}
	return fd, nil
}

// Digest sums up the sources' content, names, kinds and permissions, but no
// times and no owners. All regular files must have been hashed or copied. It
// comes as "file:HEX", "dir:HEX" or "multi:HEX".
func Digest(sources []Source) string {
	h := sha256.New()
	for _, s := range sources {
		fmt.Fprintf(h, "%q\n", path.Base(s.Name))
		for _, e := range s.Entries {
			name := strings.TrimPrefix(strings.TrimPrefix(e.Path, s.Name), "/")
			fmt.Fprintf(h, "%q %o %q %d %s\n", name, e.Stat.Mode, e.Link, device(&e), e.Digest)
		}
	}
	kind := "multi"
	if len(sources) == 1 {
		kind = "file"
		if sources[0].Entries[0].IsDir() {
			kind = "dir"
		}
	}
	return kind + ":" + hex.EncodeToString(h.Sum(nil))
}

func device(e *Entry) uint64 {
	switch e.Stat.Mode & unix.S_IFMT {
	case unix.S_IFCHR, unix.S_IFBLK:
		return e.Stat.Rdev
	}
	return 0
}
