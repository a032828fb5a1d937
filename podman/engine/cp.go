package engine

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/userns"
	"golang.org/x/sys/unix"
)

// CopyRequest copies files between a container and the host, or between two
// containers.
type CopyRequest struct {
	From, To  string // [CONTAINER:]PATH; "-" is a tar on Stdin or Stdout
	Archive   bool   // what comes into a container belongs to its user
	Overwrite bool   // a directory gives way to a file, and the other way round
	Stdin     io.Reader
	Stdout    io.Writer
}

// end is where files come from or go to.
type end struct {
	name      string // the container's, as it was given; "" is the host
	path      string // absolute; "/" or "/." at its end has a meaning
	asked     string // the path as it was given
	container *container.Config
	root      string // a directory that is the end's root while it is open
	maps      userns.Maps
	view      *view
}

// stream says that the end is a tar on standard input or output.
func (x *end) stream() bool { return x.name == "" && x.asked == "-" }

func (x *end) where() string {
	if x.name == "" {
		return "on the host"
	}
	return "on container " + x.name
}

func (x *end) missing() error {
	return errdef.Newf(errdef.ErrNotFound, "%q could not be found %s: no such file or directory", x.asked, x.where())
}

func (x *end) close() {
	if x.view != nil {
		x.view.close()
	}
}

// Copy copies files. Names are resolved inside their own root: nothing that a
// container does to its files leads anywhere else.
func (e *Engine) Copy(ctx context.Context, req CopyRequest) error {
	from, to, err := parseEnds(req.From, req.To)
	if err != nil {
		return err
	}
	for _, x := range []*end{from, to} {
		release, err := e.openEnd(x)
		if err != nil {
			return err
		}
		defer release()
		defer x.close()
	}
	switch {
	case from.stream():
		return copyIn(ctx, req, to, e.copyOwner(to, req.Archive))
	case to.stream():
		return copyOut(ctx, req, from)
	}
	return copyBetween(ctx, req, from, to, e.copyOwner(to, req.Archive))
}

// parseEnds reads the two arguments; one at least names a container.
func parseEnds(fromText, toText string) (from, to *end, err error) {
	from, to = parseEnd(fromText), parseEnd(toText)
	if from.asked == "" || to.asked == "" {
		return nil, nil, errdef.Newf(errdef.ErrInvalid, "invalid arguments %q, %q: you must specify paths", fromText, toText)
	}
	if from.name == "" && to.name == "" {
		return nil, nil, errdef.Newf(errdef.ErrInvalid, "name or ID cannot be empty: one of the paths must be of a container, CONTAINER:PATH")
	}
	for _, x := range []*end{from, to} {
		if err := x.absolute(); err != nil {
			return nil, nil, err
		}
	}
	return from, to, nil
}

// parseEnd splits CONTAINER:PATH. What begins with a slash or a dot is a path
// of the host's, whatever is in it.
func parseEnd(s string) *end {
	name, rest, ok := strings.Cut(s, ":")
	if !ok || name == "" || strings.ContainsAny(s[:1], "/.") || strings.Contains(name, "/") {
		return &end{asked: s}
	}
	return &end{name: name, asked: rest}
}

// absolute makes the path absolute and keeps what its end means.
func (x *end) absolute() error {
	if x.stream() {
		return nil
	}
	tail := ""
	switch {
	case strings.HasSuffix(x.asked, "/.") || x.asked == ".":
		tail = "/."
	case strings.HasSuffix(x.asked, "/"):
		tail = "/"
	}
	at := path.Clean("/" + x.asked)
	if x.name == "" {
		var err error
		if at, err = filepath.Abs(x.asked); err != nil {
			return err
		}
	}
	x.path = strings.TrimSuffix(at, "/") + tail
	if x.path == "" {
		x.path = "/"
	}
	return nil
}

// openEnd opens the end's root. A container that doesn't run stays locked
// until the copy is over, one that runs goes on as it likes.
func (e *Engine) openEnd(x *end) (release func(), err error) {
	none := func() {}
	if x.name == "" {
		x.root = "/"
		return none, nil
	}
	found, err := e.Lookup(x.name)
	if isNotFound(err) {
		return nil, errdef.Newf(errdef.ErrNotFound, "container %q does not exist", x.name)
	}
	if err != nil {
		return nil, err
	}
	running := e.status(found.ID)
	release = none
	if !running.Running() {
		held, err := e.lockContainer(found.ID)
		if err != nil {
			return nil, err
		}
		release = held.Release
	}
	if x.container, err = e.configuration(found.ID); err == nil {
		x.view, err = e.openView(x.container)
	}
	if err == nil {
		x.maps, err = e.idMaps(x.container)
	}
	if err != nil {
		release()
		return nil, err
	}
	x.root = x.view.path
	return release, nil
}

// copyOwner is whose the copies are: the container's user's, the host's own
// user's, or as they come.
func (e *Engine) copyOwner(to *end, archive bool) func() (*fscopy.Owner, error) {
	return func() (*fscopy.Owner, error) {
		switch {
		case to.name == "":
			return &fscopy.Owner{UID: os.Getuid(), GID: os.Getgid()}, nil
		case !archive:
			return nil, nil
		}
		user, err := lookupUser(to.root, to.container.User, nil)
		if err != nil {
			return nil, err
		}
		return &fscopy.Owner{UID: int(user.UID), GID: int(user.GID)}, nil
	}
}

// copyIn unpacks a tar.
func copyIn(ctx context.Context, req CopyRequest, to *end, owner func() (*fscopy.Owner, error)) error {
	info, err := to.stat(to.path)
	if err != nil {
		return to.statError(err)
	}
	if !info.IsDir() {
		return errdef.Newf(errdef.ErrInvalid, "destination must be a directory when copying from stdin")
	}
	o := fscopy.Options{Dest: to.path, KeepKind: !req.Overwrite, Overwrite: req.Overwrite, Outside: to.maps.Host}
	if o.Chown, err = owner(); err != nil {
		return err
	}
	err = fscopy.Extract(ctx, to.root, req.Stdin, o)
	if errors.Is(err, errdef.ErrInvalid) {
		return errdef.Newf(errdef.ErrInvalid, "source must be a (compressed) tar archive when copying from stdin: %w", err)
	}
	return err
}

// stat describes what a path of the end leads to. The host's own paths lead
// where the kernel says, /dev/stdout too.
func (x *end) stat(name string) (os.FileInfo, error) {
	if x.name == "" {
		return os.Stat(name)
	}
	return rootfs.Stat(x.root, name)
}

// statError words the error of a look at the end's path.
func (x *end) statError(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return x.missing()
	}
	return fmt.Errorf("look up %q %s: %w", x.asked, x.where(), err)
}

// find opens the tree and lists what the end's path leads to.
func (x *end) find() (*fscopy.Tree, *fscopy.Source, error) {
	if _, err := x.stat(x.path); err != nil {
		return nil, nil, x.statError(err)
	}
	tree, err := fscopy.OpenTree(x.root, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("open %q %s: %w", x.asked, x.where(), err)
	}
	tree.Inside = x.maps.Inside
	source, err := tree.Find(x.path)
	if isNotFound(err) {
		err = x.missing()
	}
	if err != nil {
		tree.Close()
		return nil, nil, err
	}
	return tree, source, nil
}

// base is the name that the source has at its destination; "" where what is
// in it is meant.
func (x *end) base() string {
	if strings.HasSuffix(x.path, "/.") || path.Clean(x.path) == "/" {
		return ""
	}
	return path.Base(x.path)
}

// copyOut writes a tar.
func copyOut(ctx context.Context, req CopyRequest, from *end) error {
	tree, source, err := from.find()
	if err != nil {
		return err
	}
	defer tree.Close()
	w := tar.NewWriter(req.Stdout)
	if err := tree.Archive(ctx, w, source, from.base()); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}

func copyBetween(ctx context.Context, req CopyRequest, from, to *end, owner func() (*fscopy.Owner, error)) error {
	tree, source, err := from.find()
	if err != nil {
		return err
	}
	defer tree.Close()
	o := fscopy.Options{KeepKind: !req.Overwrite, Overwrite: req.Overwrite, Outside: to.maps.Host}
	if to.name == "" {
		// A program of a container's must not gain its new owner's rights.
		o.StripSetID = true
	}
	special, err := to.choose(from, source, &o)
	if err != nil {
		return err
	}
	if special {
		return copyToSpecial(tree, source, o.Dest)
	}
	if o.Chown, err = owner(); err != nil {
		return err
	}
	if o.Chown != nil {
		o.DirOwner = *o.Chown
	}
	if err := tree.Copy(ctx, to.root, []fscopy.Source{*source}, o); err != nil {
		return fmt.Errorf("copy %q to %q: %w", from.asked, to.asked, err)
	}
	return nil
}

// choose finds where exactly the source goes. special says that it is a
// device or pipe of the host's, which is written to.
func (x *end) choose(from *end, source *fscopy.Source, o *fscopy.Options) (special bool, err error) {
	isDir := source.Entries[0].IsDir()
	info, err := x.stat(path.Clean(x.path))
	switch {
	case err == nil && info.IsDir():
		o.Dest, o.Itself = x.path, false
		if base := from.base(); base != "" {
			o.Dest = path.Join(x.path, base)
			// A directory that is there keeps what it is.
			_, err := rootfs.Lstat(x.root, o.Dest)
			o.Itself = isDir && errors.Is(err, fs.ErrNotExist)
		}
		return false, nil
	case err == nil && isDir && !o.Overwrite:
		return false, errdef.Newf(errdef.ErrInvalid, "destination must be a directory when copying a directory")
	case err == nil && strings.HasSuffix(x.path, "/"):
		return false, errdef.Newf(errdef.ErrInvalid, "%q %s is not a directory", x.asked, x.where())
	case err == nil && !info.Mode().IsRegular():
		if x.name != "" || isDir {
			return false, errdef.Newf(errdef.ErrInvalid, "%q %s is neither a file nor a directory", x.asked, x.where())
		}
		o.Dest = x.path
		return true, nil
	case err == nil:
		// A link at the end is followed: the file is what gets new content.
		at := &view{path: x.root}
		o.Dest, err = at.inView(x.path)
		return false, err
	case !errors.Is(err, fs.ErrNotExist):
		return false, x.statError(err)
	}
	parent, err := x.stat(path.Dir(strings.TrimSuffix(strings.TrimSuffix(x.path, "."), "/")))
	if err != nil || !parent.IsDir() || strings.HasSuffix(x.path, "/") && !isDir {
		return false, x.missing()
	}
	o.Dest, o.Itself = path.Clean(x.path), isDir
	return false, nil
}

// copyToSpecial writes a file's content to a device or pipe of the host's.
func copyToSpecial(tree *fscopy.Tree, source *fscopy.Source, dest string) error {
	in, err := tree.OpenEntry(&source.Entries[0])
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dest, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// rootTree opens the container's mounted root, with the owners that are seen
// inside.
func (e *Engine) rootTree(c *container.Config, root string) (*fscopy.Tree, error) {
	maps, err := e.idMaps(c)
	if err != nil {
		return nil, err
	}
	tree, err := fscopy.OpenTree(root, nil)
	if err != nil {
		return nil, err
	}
	tree.Inside = maps.Inside
	return tree, nil
}

// Export writes the container's whole root file system as a tar, without what
// is mounted in it.
func (e *Engine) Export(ctx context.Context, nameOrID string, w io.Writer) error {
	return e.withContainer(nameOrID, func(c *container.Config) error {
		root, err := e.mountRoot(c)
		if err != nil {
			return err
		}
		defer e.Store.Unmount(c.ID, false)
		tree, err := e.rootTree(c, root)
		if err != nil {
			return fmt.Errorf("export container %q: %w", c.Name, err)
		}
		defer tree.Close()
		source, err := tree.Find("/")
		if err != nil {
			return err
		}
		out := tar.NewWriter(w)
		if err := tree.Archive(ctx, out, source, ""); err != nil {
			return fmt.Errorf("export container %q: %w", c.Name, err)
		}
		if err := out.Close(); err != nil {
			return fmt.Errorf("export container %q: %w", c.Name, err)
		}
		e.event(containerEvent(c, "export"))
		return nil
	})
}
