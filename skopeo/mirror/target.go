package mirror

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// Target says where the images go and what they are called there.
type Target struct {
	Transport string // ref.Docker or ref.Dir
	Place     string // a registry or a part of it, or a directory
	Scoped    bool   // keep the whole name of the source, not only its last part
	Suffix    string // of the tags
}

// Of is the place of an image of the source.
func (t Target) Of(s Source, l ref.Location) (ref.Location, error) {
	name, err := t.name(s, l)
	if err != nil {
		return ref.Location{}, err
	}
	if t.Transport == ref.Dir {
		return ref.Location{Transport: ref.Dir, Path: filepath.Join(t.Place, name), Index: -1}, nil
	}
	if t.Suffix != "" && l.Name.Digest != "" {
		return ref.Location{}, errdef.Newf(errdef.ErrInvalid, "a suffix cannot be appended to the tag of %s: it is named by its digest and has none", l)
	}
	full := path.Join(t.Place, name)
	out, err := ref.ParseTransport("docker://" + full)
	if err != nil {
		err = badReference("//"+full, err)
		if host, _, _ := strings.Cut(name, "/"); t.Scoped && strings.Contains(host, ":") {
			err = errdef.Newf(errdef.ErrInvalid, "%w (the name of a repository cannot hold the port of %s: sync without --scoped)", err, host)
		}
		return ref.Location{}, err
	}
	return out, nil
}

// name is what comes after the place.
func (t Target) name(s Source, l ref.Location) (string, error) {
	if l.Transport == ref.Docker {
		if t.Scoped {
			return l.Name.String() + t.Suffix, nil
		}
		short := l.Name
		short.Domain, short.Path = "", path.Base(l.Name.Path)
		return short.String() + t.Suffix, nil
	}
	if t.Scoped {
		rel, err := filepath.Rel(s.Dir, l.Path)
		if err != nil || rel != "." {
			return rel + t.Suffix, err
		}
	}
	whole, err := filepath.Abs(l.Path)
	return filepath.Base(whole) + t.Suffix, err
}
