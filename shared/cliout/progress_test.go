package cliout

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
)

// shown is what a mode writes for one blob that is done and one that fails.
func shown(t *testing.T, mode string, r, w *os.File) string {
	t.Helper()
	p := NewProgress(w, mode)
	done := p.Start("blob", "sha256:0123456789abcdef", 1000)
	done.Add(400)
	failed := p.Start("config", "sha256:fedcba9876543210", -1)
	done.Finish(nil)
	p.Say("Writing manifest to image destination")
	failed.Finish(errors.New("lost"))
	p.Done()
	w.Close()
	out, _ := io.ReadAll(r) // a terminal ends with EIO
	return string(out)
}

func pipeShown(t *testing.T, mode string) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return shown(t, mode, r, w)
}

func TestProgressInALog(t *testing.T) {
	want := "Copying blob sha256:0123456789abcdef\nCopying config sha256:fedcba9876543210\nWriting manifest to image destination\n"
	for _, mode := range []string{"plain", "auto"} {
		if got := pipeShown(t, mode); got != want {
			t.Errorf("%s: %q, want %q", mode, got, want)
		}
	}
	if got := pipeShown(t, "none"); got != "" {
		t.Errorf("none: %q", got)
	}
}

func TestProgressAsJSON(t *testing.T) {
	var states []string
	for line := range strings.Lines(pipeShown(t, "json")) {
		var e jsonEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		states = append(states, e.Status)
		if e.Status == "done" && (e.Digest != "sha256:0123456789abcdef" || e.Bytes != 400 || e.Total != 1000 || e.Rate <= 0) {
			t.Errorf("the end says %s", line)
		}
	}
	if got := strings.Join(states, " "); got != "start start done message failed" {
		t.Errorf("states: %s", got)
	}
}

func TestProgressOnATerminal(t *testing.T) {
	r, w, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo-terminal:", err)
	}
	defer r.Close()
	if err := pty.Setsize(w, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	got := shown(t, "tty", r, w)
	for _, want := range []string{"Copying blob 0123456789ab [", "0 B / 1 kB", "Copying blob 0123456789ab done", "Copying config fedcba987654 failed"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	for line := range strings.SplitSeq(got, "\n") {
		line = strings.ReplaceAll(line, "\x1b[?7l", "")
		if text := line[strings.LastIndex(line, "J")+1:]; len(text) > 80 {
			t.Errorf("line of %d characters: %q", len(text), text)
		}
	}
}
