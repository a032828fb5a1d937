package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/userns"
)

// journalIdle is how long a journal that is followed may be silent after the
// container's end before that was all.
const journalIdle = 500 * time.Millisecond

// maxEntry bounds a field of an entry of the journal; ours are below 33 KiB.
const maxEntry = 1 << 20

// journalLogs reads the container's log from systemd's journal.
func (e *Engine) journalLogs(ctx context.Context, id string, req LogRequest, each func(LogLine) error) error {
	program, err := exec.LookPath("journalctl")
	if err != nil {
		return errdef.Newf(errdef.ErrUnsupported, "reading logs from the journal takes journalctl, which is not installed")
	}
	if !userns.Rootless() {
		exec.CommandContext(ctx, program, "--sync").Run() // what has been written can be read
	}
	args := []string{"--quiet", "--all", "--no-pager", "--output=export", "CONTAINER_ID_FULL=" + id}
	if req.Tail >= 0 {
		args = append(args, "--lines="+strconv.Itoa(req.Tail))
	} else if req.Follow {
		args = append(args, "--no-tail")
	}
	if req.Follow {
		args = append(args, "--follow")
	}
	if !req.Since.IsZero() {
		args = append(args, fmt.Sprintf("--since=@%d", req.Since.Unix()))
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, program, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	var last atomic.Int64 // when the last entry came
	last.Store(time.Now().UnixNano())
	if req.Follow {
		go e.stopAfter(ctx, id, &last, stop)
	}
	err = readJournal(out, func(l LogLine) error {
		last.Store(time.Now().UnixNano())
		switch {
		case l.Time.Before(req.Since):
			return nil
		case !req.Until.IsZero() && l.Time.After(req.Until):
			return io.EOF
		}
		return each(l)
	})
	stopped := ctx.Err() != nil
	stop()
	werr := cmd.Wait()
	switch {
	case errors.Is(err, io.EOF), stopped:
		return nil
	case err != nil:
		return err
	case werr != nil:
		return fmt.Errorf("read the journal: %s", strings.TrimSpace(complaint.String()))
	}
	return nil
}

// stopAfter calls stop when the container has ended and the journal is silent.
func (e *Engine) stopAfter(ctx context.Context, id string, last *atomic.Int64, stop func()) {
	defer stop()
	for ctx.Err() == nil {
		s := e.status(id)
		if !s.Running() && time.Since(time.Unix(0, last.Load())) > journalIdle && time.Since(s.ExitedAt) > journalIdle {
			return
		}
		time.Sleep(followInterval)
	}
}

// readJournal reads entries in the journal's export format: lines FIELD=VALUE,
// or FIELD, a length in 64 bits and the value; an empty line ends an entry.
func readJournal(from io.Reader, each func(LogLine) error) error {
	r := bufio.NewReaderSize(from, 64<<10)
	line := LogLine{Stream: "stdout"}
	for {
		key, value, err := readField(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		switch key {
		case "":
			if err := each(line); err != nil {
				return err
			}
			line = LogLine{Stream: "stdout"}
		case "MESSAGE":
			line.Text = value
		case "PRIORITY":
			if value == "3" {
				line.Stream = "stderr"
			}
		case "CONTAINER_PARTIAL_MESSAGE":
			line.Partial = value == "true"
		case "__REALTIME_TIMESTAMP":
			if us, err := strconv.ParseInt(value, 10, 64); err == nil {
				line.Time = time.UnixMicro(us)
			}
		}
	}
}

func readField(r *bufio.Reader) (key, value string, err error) {
	text, err := r.ReadString('\n')
	if err != nil {
		return "", "", err
	}
	key, value, plain := strings.Cut(strings.TrimSuffix(text, "\n"), "=")
	if plain || key == "" {
		return key, value, nil
	}
	var size uint64
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return "", "", err
	}
	if size > maxEntry {
		return "", "", fmt.Errorf("a field %s of %d bytes", key, size)
	}
	data := make([]byte, size+1)
	if _, err := io.ReadFull(r, data); err != nil {
		return "", "", err
	}
	return key, string(data[:size]), nil
}
