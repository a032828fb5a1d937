package event_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/podsuite/podsuite/podman/engine/event"
)

func read(t *testing.T, l *event.Log, r event.Range) []string {
	t.Helper()
	var names []string
	err := l.Read(context.Background(), r, func(e *event.Event) error { names = append(names, e.Name); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestRotation writes with many logs, as many processes would, over the limit
// again and again: what is there is whole, and the last event is.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "events.log")
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := range 50 {
				l := &event.Log{Path: path, Max: 2000}
				if err := l.Write(event.Event{Type: event.Container, Status: "start", Name: strconv.Itoa(w*1000 + i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	l := &event.Log{Path: path, Max: 2000}
	if err := l.Write(event.Event{Type: event.Container, Name: "last"}); err != nil {
		t.Fatal(err)
	}
	names := read(t, l, event.Range{})
	if len(names) < 2 || names[len(names)-1] != "last" {
		t.Fatalf("read %q", names)
	}
	for _, name := range []string{path, path + ".1"} {
		if info, err := os.Stat(name); err != nil || info.Size() > 4000 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// TestFollow reads across a rotation while it goes on.
func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.log")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	got := make(chan string, 100)
	go (&event.Log{Path: path}).Read(ctx, event.Range{Follow: true}, func(e *event.Event) error { got <- e.Name; return nil }) //nolint:errcheck // ends with ctx
	for i := range 30 {
		l := &event.Log{Path: path, Max: 500}
		if err := l.Write(event.Event{Name: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
		select {
		case name := <-got:
			if name != strconv.Itoa(i) {
				t.Fatalf("read %s, want %d", name, i)
			}
		case <-ctx.Done():
			t.Fatalf("event %d did not come", i)
		}
	}
}

func TestFilter(t *testing.T) {
	e := event.Event{Type: event.Container, ID: "abcdef", Name: "web", Image: "localhost/base:latest", Status: "died", Attributes: map[string]string{"a": "b"}}
	for text, want := range map[string]bool{
		"container=web": true, "container=abc": true, "container=x": false, "image=base": true, "image=other": false, "event=die": true,
		"event=start": false, "type=container": true, "type=image": false, "label=a": true, "label=a=b": true, "label=a=c": false, "volume=web": false,
	} {
		key, value, _ := strings.Cut(text, "=")
		if got := (event.Filter{key: {value}}).Keeps(&e); got != want {
			t.Errorf("%s keeps: %v", text, got)
		}
	}
}
