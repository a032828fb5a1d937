package loop

import (
	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"golang.org/x/sys/unix"
)

// journal writes the lines of the output to systemd's journal, in its native
// protocol: one datagram of FIELD=VALUE lines for each.
type journal struct {
	fields []byte // what all entries have
}

// newJournal prepares the fields by which a container's entries are found.
func newJournal(s *wire.Spec) journal {
	name := s.Tag
	if name == "" {
		name = s.Name
	}
	f := append([]byte("CONTAINER_ID_FULL="), s.ID...)
	f = append(append(f, "\nCONTAINER_ID="...), s.ID[:min(12, len(s.ID))]...)
	f = append(append(f, "\nCONTAINER_NAME="...), s.Name...)
	f = append(append(f, "\nSYSLOG_IDENTIFIER="...), name...)
	if s.Tag != "" {
		f = append(append(f, "\nCONTAINER_TAG="...), s.Tag...)
	}
	return journal{fields: append(f, '\n')}
}

// entry sends one line. A journal that takes no more loses it; the container
// goes on.
func (j *journal) entry(fd int, buf []byte, kind byte, line []byte, complete bool) []byte {
	buf = append(buf[:0], j.fields...)
	if kind == wire.Stderr {
		buf = append(buf, "PRIORITY=3\n"...)
	} else {
		buf = append(buf, "PRIORITY=6\n"...)
	}
	if !complete {
		buf = append(buf, "CONTAINER_PARTIAL_MESSAGE=true\n"...)
	}
	buf = append(append(append(buf, "MESSAGE="...), line...), '\n')
	unix.Write(fd, buf)
	return buf
}
