package container

import (
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// SetOptions takes a mount's options in and adds the defaults of its type.
func (m *Mount) SetOptions(opts []string) error {
	bind, propagation := false, false
	for _, o := range opts {
		switch o {
		case "":
			continue
		case "rbind", "bind":
			bind = true
		case "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable":
			propagation = true
		case "copy":
			m.CopyUp = true
			continue
		case "nocopy":
			m.CopyUp = false
			continue
		case "ro", "rw", "z", "Z", "U", "dev", "nodev", "exec", "noexec", "suid", "nosuid", "noatime", "relatime", "tmpcopyup", "notmpcopyup":
		default:
			if m.Type != "tmpfs" || !strings.Contains(o, "=") {
				return errdef.Newf(errdef.ErrInvalid, "invalid mount option %q", o)
			}
		}
		m.Options = append(m.Options, o)
	}
	if m.Type == "tmpfs" {
		return nil
	}
	if !bind {
		m.Options = append(m.Options, "rbind")
	}
	if !propagation {
		m.Options = append(m.Options, "rprivate")
	}
	return nil
}

// Has says whether the mount has the option.
func (m *Mount) Has(option string) bool {
	for _, o := range m.Options {
		if o == option {
			return true
		}
	}
	return false
}

// Kernel are the options that the runtime understands: those of podman alone
// left out.
func (m *Mount) Kernel() []string {
	kept := make([]string, 0, len(m.Options))
	for _, o := range m.Options {
		switch o {
		case "z", "Z", "U", "notmpcopyup":
		default:
			kept = append(kept, o)
		}
	}
	return kept
}
