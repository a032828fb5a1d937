package loop

import (
	"bytes"
	"time"

	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"golang.org/x/sys/unix"
)

// logger writes the Kubernetes log format: time, stream, F or P (a line
// that is complete, or part of one), text.
type logger struct {
	fd  int
	out []byte
}

const timeFormat = "2006-01-02T15:04:05.000000000-07:00"

// write logs one chunk of output with one system call. A full disk loses log
// lines, never the container.
func (l *logger) write(kind byte, chunk []byte) {
	if l.fd < 0 {
		return
	}
	stream := " stdout "
	if kind == wire.Stderr {
		stream = " stderr "
	}
	var stamp [len(timeFormat) + 8]byte
	now := time.Now().AppendFormat(stamp[:0], timeFormat)
	l.out = l.out[:0]
	for len(chunk) > 0 {
		line, rest, complete := bytes.Cut(chunk, []byte{'\n'})
		l.out = append(append(l.out, now...), stream...)
		if complete {
			l.out = append(l.out, "F "...)
		} else {
			l.out = append(l.out, "P "...)
		}
		l.out = append(append(l.out, line...), '\n')
		chunk = rest
	}
	unix.Write(l.fd, l.out)
	if cap(l.out) > 4*wire.MaxData {
		l.out = nil
	}
}
