package engine

import (
	"testing"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
)

func TestRestartsWaitLongerEachTime(t *testing.T) {
	e := openEngine(t)
	c := &container.Config{ID: "a", Restart: container.Restart{Policy: "always"}}
	start := time.Unix(1000, 0)
	ran := func(d time.Duration) restarts {
		t.Helper()
		r, again := e.nextRestart(c, Status{State: Exited, StartedAt: start, ExitedAt: start.Add(d)})
		if !again {
			t.Fatal("it stays down")
		}
		if err := e.saveRestarts(c.ID, r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	const ms = time.Millisecond
	for i, want := range []time.Duration{0, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 25600 * ms, 51200 * ms, time.Minute, time.Minute} {
		if r := ran(time.Second); r.delay() != want || r.Count != i+1 {
			t.Errorf("short run %d: restart %d after %v, want %v", i+1, r.Count, r.delay(), want)
		}
	}
	if r := ran(steadyRun); r.delay() != 0 {
		t.Errorf("after a long run: %v", r.delay())
	}
	if r := ran(time.Second); r.delay() != 100*ms {
		t.Errorf("after a long and a short run: %v", r.delay())
	}
	r := restarts{Quick: 1 << 40}
	if r.delay() != longestWait {
		t.Errorf("after very many: %v", r.delay())
	}
}
