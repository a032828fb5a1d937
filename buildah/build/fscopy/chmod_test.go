package fscopy

import "testing"

func TestParseChmod(t *testing.T) {
	for _, c := range []struct {
		text string
		mode uint32
		dir  bool
		want uint32
	}{
		{"640", 0o777, false, 0o640},
		{"4711", 0, false, 0o4711},
		{"u+x,g-r", 0o644, false, 0o704},
		{"go=u", 0o640, false, 0o666},
		{"+x", 0o644, false, 0o755},
		{"a+X", 0o644, false, 0o644},
		{"a+X", 0o744, false, 0o755},
		{"u=rwX,go=rX", 0o600, true, 0o755},
		{"u=rwX,go=rX", 0o600, false, 0o644},
		{"u+s,o+t", 0o755, false, 0o5755},
		{"u=rw,u-w+x", 0, false, 0o500},
		{"go=", 0o2777, true, 0o2700},
	} {
		f, err := ParseChmod(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := f(c.mode, c.dir); got != c.want {
			t.Errorf("%s of %o is %o, want %o", c.text, c.mode, got, c.want)
		}
	}
	for _, bad := range []string{"", "999", "u", "u+y", "q+x", "u+x,", "77777"} {
		if _, err := ParseChmod(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
