package fscopy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Owner is a pair of numeric IDs.
type Owner struct{ UID, GID int }

// Options say how files arrive.
type Options struct {
	Dest        string     // in the root; "/" at the end makes it a directory
	Chown       *Owner     // of everything that is copied; nil keeps the sources' owners
	OwnArchives bool       // Chown is for what archives hold, too
	DirOwner    Owner      // of directories that have to be made on the way
	Chmod       Chmod      // permissions of everything that is copied; nil keeps the sources'
	StripSetID  bool       // drop set-user-ID and set-group-ID bits
	Extract     bool       // unpack archives instead of copying them
	Itself      bool       // a directory's own owner, mode and times come with what is in it
	KeepKind    bool       // a file in the way of a directory is an error
	Overwrite   bool       // a directory in the way of a file is removed with all that is in it
	Parents     bool       // put each source below Dest with the directories it is in
	Times       *time.Time // modification time of everything; nil keeps the sources'
	Memory      *Memory    // of the tree's digests
	NeedDigests bool       // fill in the digests of regular files while copying

	// Outside turns the numbers of all owners into those of files below the
	// root, which are seen through ID maps; nil leaves them as they are.
	Outside func(uid, gid int) (int, int, error)
}

// Copy copies the sources of the tree into the root directory.
func (t *Tree) Copy(ctx context.Context, root string, sources []Source, o Options) error {
	dir, err := os.OpenFile(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	if o.DirOwner, err = o.outside(o.DirOwner); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers())
	c := &copier{ctx: ctx, tree: t, root: int(dir.Fd()), o: o, group: group, links: map[[2]uint64]place{}}
	defer c.close()
	err = c.all(sources)
	if err == nil {
		c.flush()
	}
	if waitErr := group.Wait(); waitErr != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = waitErr
	}
	if err != nil {
		return err
	}
	return c.finish()
}

type copier struct {
	ctx   context.Context
	tree  *Tree
	root  int
	o     Options
	group *errgroup.Group

	tops  []*os.File // directories that files are put under
	dirs  []made     // directories made or merged into, parents first
	links map[[2]uint64]place
	later []hardLink
	last  place // parent directory that is open, and
	at    *os.File

	batch     []job // files that wait for a worker
	batchSize int64
}

// place is a path below one of the directories that copies go to.
type place struct {
	fd  int
	rel string
}

type made struct {
	place
	entry *Entry // nil for one that stands for no source
}

type hardLink struct{ from, to place }

func (c *copier) close() {
	for _, f := range c.tops {
		f.Close()
	}
	if c.at != nil {
		c.at.Close()
	}
}

func (c *copier) all(sources []Source) error {
	dest := c.o.Dest
	asDir := len(sources) > 1 || strings.HasSuffix(dest, "/") || path.Base(dest) == "." || c.o.Parents
	exists, isDir, err := c.stat(dest)
	if err != nil {
		return err
	}
	for i := range sources {
		s := &sources[i]
		target := dest
		if c.o.Parents {
			target = path.Join(dest, strings.Join(strings.Split(s.Name, "/")[s.Pivot:], "/"))
			if exists, isDir, err = c.stat(target); err != nil {
				return err
			}
		}
		archive := c.o.Extract && s.Entries[0].IsRegular() && c.tree.IsArchive(&s.Entries[0])
		needDir := s.Entries[0].IsDir() || archive || asDir && !c.o.Parents
		if exists && !isDir && needDir {
			return errdef.Newf(errdef.ErrInvalid, "destination %s already exists but is not a directory", target)
		}
		switch {
		case archive:
			err = c.extract(s, target)
		case s.Entries[0].IsDir():
			err = c.dir(s, target)
		case exists && isDir || needDir:
			err = c.single(s, target, path.Base(s.Name))
		default:
			err = c.single(s, path.Dir(path.Clean("/"+target)), path.Base(target))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stat looks at a path in the root, following links inside it.
func (c *copier) stat(name string) (exists, isDir bool, err error) {
	f, err := openBelow(c.root, clean(name), unix.O_PATH, 0, true)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("look up destination %q: %w", name, err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false, false, err
	}
	return true, st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}

// top opens a directory of the root, making what is missing of it.
func (c *copier) top(dir string) (*os.File, error) {
	f, err := MkdirAll(c.root, dir, c.o.DirOwner, c.o.Times)
	if err != nil {
		return nil, err
	}
	c.tops = append(c.tops, f)
	return f, nil
}

func (c *copier) single(s *Source, dir, base string) error {
	top, err := c.top(dir)
	if err != nil {
		return err
	}
	return c.entry(&s.Entries[0], place{int(top.Fd()), base}, true)
}

// dir copies what is in a directory; the directory itself only lends its name.
func (c *copier) dir(s *Source, target string) error {
	top, err := c.top(target)
	if err != nil {
		return err
	}
	if c.o.Itself {
		c.dirs = append(c.dirs, made{place{int(top.Fd()), "."}, &s.Entries[0]})
	}
	for i := 1; i < len(s.Entries); i++ {
		e := &s.Entries[i]
		rel := strings.TrimPrefix(strings.TrimPrefix(e.Path, s.Name), "/")
		if err := c.entry(e, place{int(top.Fd()), rel}, false); err != nil {
			return err
		}
	}
	return nil
}

// entry makes one file; the content of regular ones is copied in the background.
func (c *copier) entry(e *Entry, to place, top bool) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if e.IsDir() {
		return c.mkdir(e, to)
	}
	if e.IsRegular() {
		if e.Stat.Nlink > 1 {
			key := [2]uint64{e.Stat.Dev, e.Stat.Ino}
			if first, ok := c.links[key]; ok {
				c.later = append(c.later, hardLink{first, to})
				return nil
			}
			c.links[key] = to
		}
		c.enqueue(job{e, to, top})
		return nil
	}
	return c.special(e, to)
}

// parent opens the directory that the place is in.
func (c *copier) parent(to place) (int, error) {
	dir := place{to.fd, path.Dir(to.rel)}
	if c.at != nil && c.last == dir {
		return int(c.at.Fd()), nil
	}
	f, err := openBelow(dir.fd, dir.rel, unix.O_PATH|unix.O_DIRECTORY, 0, false)
	if err != nil {
		return -1, err
	}
	if c.at != nil {
		c.at.Close()
	}
	c.at, c.last = f, dir
	return int(f.Fd()), nil
}

func (c *copier) mkdir(e *Entry, to place) error {
	parent, err := c.parent(to)
	if err != nil {
		return err
	}
	base := path.Base(to.rel)
	for try := 0; ; try++ {
		err = unix.Mkdirat(parent, base, 0o700)
		if err != unix.EEXIST || try > 0 {
			break
		}
		var st unix.Stat_t
		if err := unix.Fstatat(parent, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			err = nil
			break
		}
		if c.o.KeepKind {
			return errdef.Newf(errdef.ErrInvalid, "make directory %q: a file is in its place", path.Join(c.o.Dest, to.rel))
		}
		if err := unix.Unlinkat(parent, base, 0); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("make directory %q: %w", path.Join(c.o.Dest, to.rel), err)
	}
	c.dirs = append(c.dirs, made{to, e})
	return nil
}

// special makes what has no content: links, devices, pipes.
func (c *copier) special(e *Entry, to place) error {
	parent, err := c.parent(to)
	if err != nil {
		return err
	}
	base := path.Base(to.rel)
	make := func() error {
		if e.Stat.Mode&unix.S_IFMT == unix.S_IFLNK {
			return unix.Symlinkat(e.Link, parent, base)
		}
		return unix.Mknodat(parent, base, e.Stat.Mode&unix.S_IFMT|c.mode(e), int(e.Stat.Rdev))
	}
	err = make()
	if err == unix.EEXIST {
		if err = c.replace(parent, base); err == nil {
			err = make()
		}
	}
	if err != nil {
		return fmt.Errorf("make %q: %w", path.Join(c.o.Dest, to.rel), err)
	}
	owner, err := c.owner(e)
	if err != nil {
		return err
	}
	if err := unix.Fchownat(parent, base, owner.UID, owner.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("change owner of %q: %w", path.Join(c.o.Dest, to.rel), err)
	}
	times := c.times(e)
	return unix.UtimesNanoAt(parent, base, times[:], unix.AT_SYMLINK_NOFOLLOW)
}

// replace removes what is in the way of a file; a directory stays, unless
// all is to be overwritten.
func (c *copier) replace(parent int, base string) error {
	err := unix.Unlinkat(parent, base, 0)
	if err != unix.EISDIR {
		return err
	}
	if !c.o.Overwrite {
		return errdef.Newf(errdef.ErrInvalid, "a directory is in its place")
	}
	return removeAll(parent, base)
}

// removeAll removes a directory and what is in it, following no link.
func removeAll(parent int, base string) error {
	dir, err := os.OpenRoot("/proc/self/fd/" + strconv.Itoa(parent))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.RemoveAll(base)
}

// owner is whose the copy of an entry is.
func (c *copier) owner(e *Entry) (Owner, error) {
	if c.o.Chown != nil {
		return c.o.outside(*c.o.Chown)
	}
	return c.o.outside(c.tree.owner(e))
}

func (o *Options) outside(owner Owner) (Owner, error) {
	if o.Outside == nil {
		return owner, nil
	}
	uid, gid, err := o.Outside(owner.UID, owner.GID)
	return Owner{uid, gid}, err
}

func (c *copier) mode(e *Entry) uint32 {
	mode := e.Stat.Mode & 0o7777
	if c.o.Chmod != nil {
		return c.o.Chmod(mode, e.IsDir())
	}
	if c.o.StripSetID && !e.IsDir() {
		mode &^= unix.S_ISUID | unix.S_ISGID
	}
	return mode
}

func (c *copier) times(e *Entry) *[2]unix.Timespec {
	mtime := e.Stat.Mtim
	if c.o.Times != nil {
		mtime = unix.NsecToTimespec(c.o.Times.UnixNano())
	}
	return &[2]unix.Timespec{mtime, mtime}
}

// finish does what has to wait for the files: links to them, and directories'
// own properties, which writing into them would change.
func (c *copier) finish() error {
	for _, l := range c.later {
		if err := c.link(l); err != nil {
			return fmt.Errorf("link %q: %w", path.Join(c.o.Dest, l.to.rel), err)
		}
	}
	for i := len(c.dirs) - 1; i >= 0; i-- {
		if err := c.finishDir(c.dirs[i]); err != nil {
			return fmt.Errorf("finish directory %q: %w", path.Join(c.o.Dest, c.dirs[i].rel), err)
		}
	}
	return nil
}

func (c *copier) link(l hardLink) error {
	from, err := openBelow(l.from.fd, path.Dir(l.from.rel), unix.O_PATH|unix.O_DIRECTORY, 0, false)
	if err != nil {
		return err
	}
	defer from.Close()
	parent, err := c.parent(l.to)
	if err != nil {
		return err
	}
	base := path.Base(l.to.rel)
	make := func() error {
		return unix.Linkat(int(from.Fd()), path.Base(l.from.rel), parent, base, 0)
	}
	err = make()
	if err == unix.EEXIST {
		if err = c.replace(parent, base); err == nil {
			err = make()
		}
	}
	return err
}

func (c *copier) finishDir(d made) error {
	f, err := openBelow(d.fd, d.rel, unix.O_RDONLY|unix.O_DIRECTORY, 0, false)
	if err != nil {
		return err
	}
	defer f.Close()
	fd := int(f.Fd())
	owner, err := c.owner(d.entry)
	if err != nil {
		return err
	}
	if err := unix.Fchown(fd, owner.UID, owner.GID); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, c.mode(d.entry)); err != nil {
		return err
	}
	return setTimes(fd, c.times(d.entry))
}
