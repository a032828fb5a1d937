package engine

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSeekTail(t *testing.T) {
	entry := func(tag, text string) string {
		return "2026-01-02T03:04:05.000000000+00:00 stdout " + tag + " " + text + "\n"
	}
	var log strings.Builder
	for i := range 3000 { // more than one block
		log.WriteString(entry("F", fmt.Sprintf("line %d %s", i, strings.Repeat("x", 40))))
	}
	log.WriteString(entry("P", "begin ") + entry("P", "middle ") + entry("F", "end"))
	path := filepath.Join(t.TempDir(), "ctr.log")
	if err := os.WriteFile(path, []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for n, first := range map[int]string{0: "", 1: "begin ", 2: "line 2999", 2000: "line 1001 ", 3001: "line 0 ", 9999: "line 0 "} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := seekTail(f, n); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(f)
		f.Close()
		line, ok := parseLogLine(strings.SplitN(string(rest), "\n", 2)[0])
		if first == "" && len(rest) > 0 || first != "" && (!ok || !strings.HasPrefix(line.Text, first)) {
			t.Errorf("the last %d begin with %+v", n, line)
		}
	}
}

func TestParseSignal(t *testing.T) {
	for text, want := range map[string]int{"TERM": 15, "sigkill": 9, "9": 9, "SIGRTMIN+1": 35, "RTMAX-1": 63, "SIGRTMIN": 34} {
		if got, err := ParseSignal(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "BOGUS", "0", "65", "SIGRTMAX+9"} {
		if got, err := ParseSignal(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
