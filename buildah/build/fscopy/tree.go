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
	// Exclude are those of the copy's own: paths below each source, and names
	// of sources that are files.
	Exclude *Ignore

	// Inside gives the numbers of owners that are seen through ID maps; nil
	// leaves them as they are.
	Inside func(uid, gid int) (int, int)

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
	Pivot   int     // how many of its elements stood before "/./"
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

// owner is whose an entry is.
func (t *Tree) owner(e *Entry) Owner {
	uid, gid := int(e.Stat.Uid), int(e.Stat.Gid)
	if t.Inside != nil {
		uid, gid = t.Inside(uid, gid)
	}
	return Owner{uid, gid}
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
			source.Pivot = pivot(pattern)
			sources = append(sources, *source)
		}
		if filtered > 0 && filtered == len(names) {
			missing = errdef.Newf(errdef.ErrNotFound,
				"no items matching glob %q copied (%d filtered out using %s): no such file or directory",
				path.Join(t.Dir, pattern), filtered, t.left())
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

// left is what leaves files out, for messages.
func (t *Tree) left() string {
	if t.Ignore == nil {
		return t.Exclude.name
	}
	return t.Ignore.name
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

// pivot counts the elements before the first "." inside of a pattern.
func pivot(pattern string) int {
	before, _, ok := strings.Cut(strings.TrimLeft(pattern, "./"), "/./")
	if before = clean(before); !ok || before == "" {
		return 0
	}
	return strings.Count(before, "/") + 1
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
	if part == "**" {
		return t.below(dir, names)
	}
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

// below is a directory with all directories that are in it: what "**" matches.
func (t *Tree) below(dir string, names []string) ([]string, error) {
	matched := []string{dir}
	for _, name := range names {
		at := path.Join(dir, name)
		f, err := t.open(at, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, true)
		if err != nil {
			continue // no directory
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
		more, err := t.globDir(at, "**")
		if err != nil {
			return nil, err
		}
		matched = append(matched, more...)
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
	if !entry.IsDir() && !excluded {
		excluded, _, err = t.Exclude.match(path.Base(name), state{})
		if err != nil {
			return nil, err
		}
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
		if err := l.dir(dir, name, states{ignore: matched}); err != nil {
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

// states is what is known of a directory when its entries are matched.
type states struct{ ignore, exclude state }

type lister struct {
	tree   *Tree
	source *Source
}

// dir appends what is in a directory and closes it. Directories that are left
// out stay if something in them is brought back.
func (l *lister) dir(f *os.File, at string, parent states) error {
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
		ignored, matched, err := l.match(entry.Path, parent)
		if err != nil {
			return err
		}
		excluded := ignored.any()
		if excluded && (!entry.IsDir() || ignored.whole) {
			continue
		}
		if err := l.add(fd, name, entry, excluded, matched); err != nil {
			return err
		}
	}
	return nil
}

// verdict is what the patterns say of a path.
type verdict struct {
	ignored, excluded bool
	whole             bool // nothing below it is brought back
}

func (v verdict) any() bool { return v.ignored || v.excluded }

func (l *lister) match(name string, parent states) (v verdict, matched states, err error) {
	if v.ignored, matched.ignore, err = l.tree.Ignore.match(name, parent.ignore); err != nil {
		return v, matched, err
	}
	below := strings.TrimPrefix(strings.TrimPrefix(name, l.source.Name), "/")
	v.excluded, matched.exclude, err = l.tree.Exclude.match(below, parent.exclude)
	v.whole = v.ignored && l.tree.Ignore.prunes() || v.excluded && l.tree.Exclude.prunes()
	return v, matched, err
}

func (l *lister) add(fd int, name string, entry Entry, excluded bool, matched states) error {
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
