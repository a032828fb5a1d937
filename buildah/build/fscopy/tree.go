package fscopy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Tree is a directory that files are taken from.
type Tree struct {
	Dir    string  // as it shows in messages
	Ignore *Ignore // paths that do not exist for a copy

	root *os.File
}

// Entry is a file of any kind.
type Entry struct {
	Path   string // below the tree, slashes, no leading one; "" is the tree itself
	Stat   unix.Stat_t
	Link   string // target of a symbolic link
	Digest string // hex sha256 of a regular file's content; empty until known
}

// IsDir tells whether the entry is a directory.
func (e *Entry) IsDir() bool { return e.Stat.Mode&unix.S_IFMT == unix.S_IFDIR }

// IsRegular tells whether the entry is a regular file.
func (e *Entry) IsRegular() bool { return e.Stat.Mode&unix.S_IFMT == unix.S_IFREG }

// Source is what one argument of COPY stands for.
type Source struct {
	Name    string  // as asked for, below the tree
	Entries []Entry // the first is the source itself, a directory comes before what is in it
}

// OpenTree opens the directory.
func OpenTree(dir string, ignore *Ignore) (*Tree, error) {
	root, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_CLOEXEC|os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return &Tree{Dir: dir, Ignore: ignore, root: root}, nil
}

// Close gives up the directory.
func (t *Tree) Close() error { return t.root.Close() }

// List finds what the patterns of one COPY stand for. A pattern that matches
// nothing is an error only when no other pattern matches anything either, as
// is a pattern without wildcards in any case.
func (t *Tree) List(patterns []string) ([]Source, error) {
	var sources []Source
	var missing error
	for _, pattern := range patterns {
		names, err := t.glob(pattern)
		if err != nil {
			return nil, err
		}
		if len(names) == 0 {
			missing = t.missing(pattern)
			if !hasWildcard(pattern) {
				return nil, missing
			}
		}
		filtered := 0
		for _, name := range names {
			source, err := t.list(name)
			if err != nil {
				return nil, err
			}
			if source == nil {
				filtered++
				continue
			}
			sources = append(sources, *source)
		}
		if filtered > 0 && filtered == len(names) {
			missing = errdef.Newf(errdef.ErrNotFound,
				"no items matching glob %q copied (%d filtered out using %s): no such file or directory",
				path.Join(t.Dir, pattern), filtered, t.Ignore.name)
			if !hasWildcard(pattern) {
				return nil, missing
			}
		}
	}
	if len(sources) == 0 && missing != nil {
		return nil, missing
	}
	return sources, nil
}

func (t *Tree) missing(pattern string) error {
	text := ""
	if escapes(pattern) {
		text = "possible escaping context directory error: "
	}
	shown := fmt.Sprintf("%q", "/"+clean(pattern))
	if hasWildcard(pattern) {
		shown = "[" + shown + "]"
	}
	return errdef.Newf(errdef.ErrNotFound, "checking on sources under %q: %scopier: stat: %s: no such file or directory",
		t.Dir, text, shown)
}

func hasWildcard(pattern string) bool { return strings.ContainsAny(pattern, `*?[\`) }

func escapes(pattern string) bool {
	p := path.Clean(strings.TrimLeft(pattern, "/"))
	return p == ".." || strings.HasPrefix(p, "../")
}

// clean makes a path below the root of what the user wrote.
func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// glob finds the names that the pattern matches, sorted.
func (t *Tree) glob(pattern string) ([]string, error) {
	pattern = clean(pattern)
	if !hasWildcard(pattern) {
		f, err := t.open(pattern, unix.O_PATH, true)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
				return nil, t.dangling(pattern)
			}
			return nil, fmt.Errorf("open %q under %q: %w", pattern, t.Dir, err)
		}
		return []string{pattern}, f.Close()
	}
	names := []string{""}
	for _, part := range strings.Split(pattern, "/") {
		var next []string
		for _, name := range names {
			matched, err := t.globDir(name, part)
			if err != nil {
				return nil, err
			}
			next = append(next, matched...)
		}
		names = next
	}
	return names, nil
}

// dangling tells a symbolic link that leads nowhere from a name that isn't there.
func (t *Tree) dangling(name string) error {
	f, err := t.open(name, unix.O_PATH|unix.O_NOFOLLOW, true)
	if err != nil {
		return nil
	}
	defer f.Close()
	target, err := readlink(f)
	if err != nil {
		return nil
	}
	return errdef.Newf(errdef.ErrNotFound, "reading %q: it is a symbolic link to %q, which is not in %q",
		path.Join(t.Dir, name), target, t.Dir)
}

// globDir matches one element of a pattern in the directory dir.
func (t *Tree) globDir(dir, part string) ([]string, error) {
	if !hasWildcard(part) {
		name := path.Join(dir, part)
		f, err := t.open(name, unix.O_PATH, true)
		if err != nil {
			return nil, nil // not there: no match
		}
		return []string{name}, f.Close()
	}
	f, err := t.open(dir, unix.O_RDONLY|unix.O_DIRECTORY, true)
	if err != nil {
		return nil, nil // not a directory: nothing matches in it
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var matched []string
	for _, name := range names {
		ok, err := path.Match(part, name)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "match %q: %w", part, err)
		}
		if ok {
			matched = append(matched, path.Join(dir, name))
		}
	}
	return matched, nil
}

// list lists a source and everything below it; nil if it is left out.
func (t *Tree) list(name string) (*Source, error) {
	f, err := t.open(name, unix.O_PATH, true)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			if err := t.dangling(name); err != nil {
				return nil, err
			}
			return nil, t.missing(name)
		}
		return nil, fmt.Errorf("open %q under %q: %w", name, t.Dir, err)
	}
	defer f.Close()
	entry := Entry{Path: name}
	if err := unix.Fstat(int(f.Fd()), &entry.Stat); err != nil {
		return nil, fmt.Errorf("stat %q: %w", name, err)
	}
	l := &lister{tree: t, source: &Source{Name: name}}
	excluded, matched, err := t.Ignore.matchFrom(name)
	if err != nil {
		return nil, err
	}
	if excluded && (!entry.IsDir() || t.Ignore.prunes()) {
		return nil, nil
	}
	l.source.Entries = append(l.source.Entries, entry)
	if entry.IsDir() {
		dir, err := t.open(name, unix.O_RDONLY|unix.O_DIRECTORY, true)
		if err != nil {
			return nil, fmt.Errorf("open %q under %q: %w", name, t.Dir, err)
		}
		if err := l.dir(dir, name, matched); err != nil {
			return nil, err
		}
		if excluded && len(l.source.Entries) == 1 {
			return nil, nil
		}
	}
	return l.source, nil
}

// matchFrom matches a path whose parents have not been matched yet.
func (i *Ignore) matchFrom(name string) (bool, state, error) {
	if i == nil || name == "" {
		return false, state{}, nil
	}
	var excluded bool
	var matched state
	var err error
	for at := 0; at >= 0; {
		next := strings.IndexByte(name[at:], '/')
		prefix := name
		if next >= 0 {
			prefix = name[:at+next]
			at += next + 1
		} else {
			at = -1
		}
		if excluded, matched, err = i.match(prefix, matched); err != nil {
			return false, state{}, err
		}
	}
	return excluded, matched, nil
}

type lister struct {
	tree   *Tree
	source *Source
}

// dir appends what is in a directory and closes it. Directories that are left
// out stay if something in them is brought back.
func (l *lister) dir(f *os.File, at string, parent state) error {
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("read directory %q: %w", path.Join(l.tree.Dir, at), err)
	}
	slices.Sort(names)
	fd := int(f.Fd())
	for _, name := range names {
		entry := Entry{Path: path.Join(at, name)}
		if err := unix.Fstatat(fd, name, &entry.Stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("stat %q: %w", path.Join(l.tree.Dir, entry.Path), err)
		}
		excluded, matched, err := l.tree.Ignore.match(entry.Path, parent)
		if err != nil {
			return err
		}
		if excluded && (!entry.IsDir() || l.tree.Ignore.prunes()) {
			continue
		}
		if err := l.add(fd, name, entry, excluded, matched); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) add(fd int, name string, entry Entry, excluded bool, matched state) error {
	switch entry.Stat.Mode & unix.S_IFMT {
	case unix.S_IFSOCK:
		return nil
	case unix.S_IFLNK:
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(fd, name, buf)
		if err != nil {
			return fmt.Errorf("read link %q: %w", path.Join(l.tree.Dir, entry.Path), err)
		}
		entry.Link = string(buf[:n])
	}
	before := len(l.source.Entries)
	l.source.Entries = append(l.source.Entries, entry)
	if !entry.IsDir() {
		return nil
	}
	child, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open directory %q: %w", path.Join(l.tree.Dir, entry.Path), err)
	}
	if err := l.dir(os.NewFile(uintptr(child), name), entry.Path, matched); err != nil {
		return err
	}
	if excluded && len(l.source.Entries) == before+1 {
		l.source.Entries = l.source.Entries[:before]
	}
	return nil
}
