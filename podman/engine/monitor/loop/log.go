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
	fd   int
	out  []byte
	size int // of the file
	max  int // 0: without limit
	// journal is set where the descriptor is a socket of systemd's journal.
	journal *journal
}

// open takes the log file over, as far as it has come.
func (l *logger) open(fd, limit int) {
	l.fd, l.max = fd, limit
	var st unix.Stat_t
	if limit > 0 && unix.Fstat(fd, &st) == nil {
		l.size = int(st.Size)
	}
}

// flush writes what has been formatted; the file begins anew where that is too
// much for it.
func (l *logger) flush() {
	if l.max > 0 && l.size+len(l.out) > l.max && unix.Ftruncate(l.fd, 0) == nil {
		l.size = 0
	}
	l.size += len(l.out)
	unix.Write(l.fd, l.out)
	l.out = l.out[:0]
}

const timeFormat = "2006-01-02T15:04:05.000000000-07:00"

// write logs one chunk of output, with one system call unless the file is
// limited. A full disk loses log lines, never the container.
func (l *logger) write(kind byte, chunk []byte) {
	if l.fd < 0 {
		return
	}
	if l.journal != nil {
		for len(chunk) > 0 {
			line, rest, complete := bytes.Cut(chunk, []byte{'\n'})
			l.out = l.journal.entry(l.fd, l.out, kind, line, complete)
			chunk = rest
		}
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
		if l.max > 0 && len(l.out) > 0 && len(l.out)+len(now)+len(line)+len(" stdout F \n") > l.max {
			l.flush()
		}
		l.out = append(append(l.out, now...), stream...)
		if complete {
			l.out = append(l.out, "F "...)
		} else {
			l.out = append(l.out, "P "...)
		}
		l.out = append(append(l.out, line...), '\n')
		chunk = rest
	}
	l.flush()
	if cap(l.out) > 4*wire.MaxData {
		l.out = nil
	}
}
