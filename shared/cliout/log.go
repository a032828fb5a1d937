package cliout

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

// Log writes lines in the form that all three programs use for what is not a
// result: time, level, message and pairs of keys and values.
type Log struct{ W io.Writer }

// Debug writes what only matters when something is looked for.
func (l *Log) Debug(msg string, pairs ...string) { l.line("debug", msg, pairs...) }

// Info writes what goes on.
func (l *Log) Info(msg string, pairs ...string) { l.line("info", msg, pairs...) }

// Warn writes what may be wrong.
func (l *Log) Warn(msg string, pairs ...string) { l.line("warning", msg, pairs...) }

// Error writes what went wrong and did not end the command.
func (l *Log) Error(msg string, pairs ...string) { l.line("error", msg, pairs...) }

// line is written at once, so that lines of several goroutines stay whole.
func (l *Log) line(level, msg string, pairs ...string) {
	var b strings.Builder
	fmt.Fprintf(&b, "time=%q level=%s msg=%s", time.Now().Format(time.RFC3339), level, strconv.Quote(msg))
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, " %s=%s", pairs[i], strconv.Quote(pairs[i+1]))
	}
	b.WriteByte('\n')
	io.WriteString(l.W, b.String()) //nolint:errcheck // a log that can't be written stops nothing
}

// Warn prints a warning, unless --log-level says that they are not wanted.
func Warn(w io.Writer, format string, args ...any) {
	if logrus.IsLevelEnabled(logrus.WarnLevel) {
		(&Log{W: w}).Warn(fmt.Sprintf(format, args...))
	}
}
