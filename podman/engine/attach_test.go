package engine

import "testing"

func TestDetachKeys(t *testing.T) {
	keys, err := parseDetachKeys("")
	if err != nil || string(keys) != "\x10\x11" {
		t.Fatalf("default: %q, %v", keys, err)
	}
	if keys, err := parseDetachKeys("a,ctrl-[,ctrl-z"); err != nil || string(keys) != "a\x1b\x1a" {
		t.Errorf("a,ctrl-[,ctrl-z: %q, %v", keys, err)
	}
	for _, bad := range []string{"ctrl-1", "ctrl-", "abc", "a,,b"} {
		if _, err := parseDetachKeys(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// What the user types reaches the container whole, however it is cut into
// reads, unless it is the detach keys.
func TestDetachMatcher(t *testing.T) {
	for _, c := range []struct {
		typed    []string
		passed   string
		detached bool
	}{
		{[]string{"ls\n"}, "ls\n", false},
		{[]string{"x\x10\x11y"}, "x", true},
		{[]string{"\x10", "\x11"}, "", true},
		{[]string{"\x10", "a"}, "\x10a", false},
		{[]string{"\x10\x10\x11"}, "\x10", true},
		{[]string{"\x11\x10"}, "\x11", false}, // ctrl-p is held back
	} {
		m := detachMatcher{keys: []byte("\x10\x11")}
		passed, detached := "", false
		for _, typed := range c.typed {
			out, left := m.filter([]byte(typed))
			passed += string(out)
			detached = detached || left
		}
		if passed != c.passed || detached != c.detached {
			t.Errorf("%q: passed %q, detached %v", c.typed, passed, detached)
		}
	}
}
