package container

import (
	"slices"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// SetOptions takes a mount's options in and adds the defaults of its type.
func (m *Mount) SetOptions(opts []string) error {
	for _, o := range opts {
		switch o {
		case "":
			continue
		case "copy":
			m.CopyUp = true
			continue
		case "nocopy":
			m.CopyUp = false
			continue
		}
		if !m.knows(o) {
			return errdef.Newf(errdef.ErrInvalid, "invalid option type %q", o)
		}
		m.Options = append(m.Options, o)
	}
	for _, group := range [][]string{{"ro", "rw"}, {"z", "Z", "O"}, {"dev", "nodev"}, {"exec", "noexec"}, {"suid", "nosuid"}, propagations(), {"bind", "rbind"}} {
		if both := m.of(group); len(both) > 1 && !slices.Equal(both[:1], both[1:]) {
			return errdef.Newf(errdef.ErrInvalid, "invalid options %q, can only specify 1 of %s", strings.Join(both, ", "), strings.Join(group, ", "))
		}
	}
	switch m.Type {
	case "bind", "volume":
		return m.bindDefaults()
	}
	return nil
}

// knows tells the options of the mount's type.
func (m *Mount) knows(o string) bool {
	key, _, hasValue := strings.Cut(o, "=")
	switch {
	case slices.Contains([]string{"ro", "rw", "dev", "nodev", "exec", "noexec", "suid", "nosuid", "noatime", "relatime", "nodiratime", "strictatime"}, o):
		return true
	case m.Type == "tmpfs" && (o == "tmpcopyup" || o == "notmpcopyup"):
		return true
	case m.Type == "tmpfs" || m.Type == "ramfs" || m.Type == "devpts":
		return hasValue || slices.Contains(propagations(), o) || o == "U"
	case hasValue:
		return key == "upperdir" || key == "workdir"
	}
	return slices.Contains([]string{"z", "Z", "O", "U", "idmap", "bind", "rbind"}, o) || slices.Contains(propagations(), o)
}

func propagations() []string {
	return []string{"private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"}
}

// of are those of the mount's options that are in the group.
func (m *Mount) of(group []string) (found []string) {
	for _, o := range m.Options {
		if slices.Contains(group, o) {
			found = append(found, o)
		}
	}
	return found
}

func (m *Mount) bindDefaults() error {
	upper, work := m.Value("upperdir"), m.Value("workdir")
	switch {
	case (upper == "") != (work == ""):
		return errdef.Newf(errdef.ErrInvalid, "must set both `upperdir` and `workdir`")
	case upper != "" && !m.Has("O"):
		return errdef.Newf(errdef.ErrInvalid, "upperdir and workdir are for an overlay: add the option O")
	case m.Has("O") && m.Has("U"):
		return errdef.Newf(errdef.ErrInvalid, "options O and U: the owner of what an overlay lies on is not changed")
	}
	if len(m.of([]string{"bind", "rbind"})) == 0 {
		m.Options = append(m.Options, "rbind")
	}
	if len(m.of(propagations())) == 0 {
		m.Options = append(m.Options, "rprivate")
	}
	if m.Type == "volume" { // unless the user trusts what is in it
		for _, o := range []string{"suid", "dev"} {
			if len(m.of([]string{o, "no" + o})) == 0 {
				m.Options = append(m.Options, "no"+o)
			}
		}
	}
	return nil
}

// Has says whether the mount has the option.
func (m *Mount) Has(option string) bool { return slices.Contains(m.Options, option) }

// Value is what follows KEY= in the mount's options; "" where nothing does.
func (m *Mount) Value(key string) string {
	for _, o := range m.Options {
		if value, ok := strings.CutPrefix(o, key+"="); ok {
			return value
		}
	}
	return ""
}

// Kernel are the options that the runtime understands: those of podman alone
// left out.
func (m *Mount) Kernel() []string {
	kept := make([]string, 0, len(m.Options))
	for _, o := range m.Options {
		switch key, _, _ := strings.Cut(o, "="); key {
		case "z", "Z", "U", "O", "notmpcopyup", "upperdir", "workdir":
		default:
			kept = append(kept, o)
		}
	}
	return kept
}
