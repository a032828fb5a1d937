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
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/userns"
)

// maxEntry bounds a field of an entry of the journal; ours are below 33 KiB.
const maxEntry = 1 << 20

// journalLogs reads the container's log from systemd's journal. It follows
// until the container has ended, and then reads what was written meanwhile.
func (e *Engine) journalLogs(ctx context.Context, id string, req LogRequest, each func(LogLine) error) error {
	j := journalReader{id: id, req: req, each: each}
	var err error
	if j.program, err = exec.LookPath("journalctl"); err != nil {
		return errdef.Newf(errdef.ErrUnsupported, "reading logs from the journal takes journalctl, which is not installed")
	}
	if s := e.status(id); req.Follow && s.Running() {
		running, stop := context.WithCancel(ctx)
		go func() {
			defer stop()
			for s := e.status(id); s.Running() && running.Err() == nil; s = e.status(id) {
				time.Sleep(followInterval)
			}
		}()
		err := j.read(running, true)
		stop()
		if err != nil {
			return endOfLog(err)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	if !userns.Rootless() {
		exec.CommandContext(ctx, j.program, "--sync").Run() // what has been written can be read
	}
	return endOfLog(j.read(ctx, false))
}

// endOfLog takes the end that the user set for no error.
func endOfLog(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// journalReader reads entries of one container.
type journalReader struct {
	program, id string
	req         LogRequest
	each        func(LogLine) error
	cursor      string // of the last entry that was read
}

// read reads what there is, or with follow what comes until ctx is done.
func (j *journalReader) read(ctx context.Context, follow bool) error {
	args := []string{"--quiet", "--all", "--no-pager", "--output=export", "CONTAINER_ID_FULL=" + j.id}
	switch {
	case j.cursor != "":
		args = append(args, "--after-cursor="+j.cursor)
	case j.req.Tail >= 0:
		args = append(args, "--lines="+strconv.Itoa(j.req.Tail))
	case follow:
		args = append(args, "--no-tail")
	}
	if follow {
		args = append(args, "--follow")
	}
	if !j.req.Since.IsZero() && j.cursor == "" {
		args = append(args, fmt.Sprintf("--since=@%d", j.req.Since.Unix()))
	}
	cmd := exec.CommandContext(ctx, j.program, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	err = readJournal(out, func(cursor string, l LogLine) error {
		j.cursor = cursor
		switch {
		case l.Time.Before(j.req.Since):
			return nil
		case !j.req.Until.IsZero() && l.Time.After(j.req.Until):
			return io.EOF
		}
		return j.each(l)
	})
	if err != nil {
		cmd.Process.Kill()
	}
	werr := cmd.Wait()
	if err == nil && werr != nil && ctx.Err() == nil && complaint.Len() > 0 {
		err = fmt.Errorf("read the journal: %s", strings.TrimSpace(complaint.String()))
	}
	return err
}

// readJournal reads entries in the journal's export format: lines FIELD=VALUE,
// or FIELD, a length in 64 bits and the value; an empty line ends an entry.
func readJournal(from io.Reader, each func(cursor string, l LogLine) error) error {
	var cursor string
	r := bufio.NewReaderSize(from, 64<<10)
	line := LogLine{Stream: "stdout"}
	for {
		key, value, err := readField(r)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		switch key {
		case "":
			if err := each(cursor, line); err != nil {
				return err
			}
			line = LogLine{Stream: "stdout"}
		case "__CURSOR":
			cursor = value
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
