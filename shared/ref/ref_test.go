package ref

import (
	"errors"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
)

const hex64 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseNormalized(t *testing.T) {
	for in, want := range map[string][2]string{
		"busybox":                       {"docker.io/library/busybox", "busybox"},
		"busybox:1.2_x":                 {"docker.io/library/busybox:1.2_x", "busybox:1.2_x"},
		"u/p":                           {"docker.io/u/p", "u/p"},
		"localhost/a/b--c:1":            {"localhost/a/b--c:1", "localhost/a/b--c:1"},
		"index.docker.io/x":             {"docker.io/library/x", "x"},
		"h:5000/x@sha256:" + hex64:      {"h:5000/x@sha256:" + hex64, "h:5000/x@sha256:" + hex64},
		"h.test/x:t@sha256:" + hex64:    {"h.test/x:t@sha256:" + hex64, "h.test/x:t@sha256:" + hex64},
		"[::1]:5000/x":                  {"[::1]:5000/x", "[::1]:5000/x"},
		"Host/x":                        {"Host/x", "Host/x"},
		strings.Repeat("a", 64) + "/ok": {"docker.io/" + strings.Repeat("a", 64) + "/ok", strings.Repeat("a", 64) + "/ok"},
	} {
		n, err := ParseNormalized(in)
		if err != nil || n.String() != want[0] || n.Familiar() != want[1] {
			t.Errorf("%q: %q, %q, %v", in, n, n.Familiar(), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{"", " ", "bad ref", "x:", ":t", "x@sha256:zz", "x@", "a//b", "/x", "x/", "-x", "x-", "a..b", "a___b",
		"h:port/x", "h:999999/x", "-h.test/x", "x:-t", "x:" + strings.Repeat("t", 129), strings.Repeat("a", 256), hex64, "../x", "a/../b", "x\n", "[zz]/x", "\x10.a/x", "a.\x00/x"} {
		if n, err := Parse(in); !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%q: %+v, %v", in, n, err)
		}
	}
	if _, err := Parse("UPPER"); err == nil || err.Error() != "invalid reference format: repository name must be lowercase" {
		t.Errorf("UPPER: %v", err)
	}
}

func TestCandidates(t *testing.T) {
	aliases := map[string]string{"short": "q.test/long"}
	search := []string{"a.test", "docker.io", "ns.test/team"}
	for in, want := range map[string]string{
		"x":       "localhost/x:latest a.test/x:latest docker.io/library/x:latest ns.test/team/x:latest",
		"short:1": "localhost/short:1 q.test/long:1 a.test/short:1 docker.io/library/short:1 ns.test/team/short:1",
		"h.t/x":   "h.t/x:latest",
	} {
		n, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(Local(n, aliases, search)); got != want {
			t.Errorf("local %s: %s", in, got)
		}
	}
	for in, want := range map[string]string{
		"x":       "a.test/x:latest docker.io/library/x:latest ns.test/team/x:latest",
		"short:1": "q.test/long:1",
	} {
		n, _ := Parse(in)
		if got := text(Remote(n, aliases, search)); got != want {
			t.Errorf("remote %s: %s", in, got)
		}
	}
}

func text(names []Name) string {
	var s []string
	for _, n := range names {
		s = append(s, n.String())
	}
	return strings.Join(s, " ")
}

func TestParseTransport(t *testing.T) {
	for in, want := range map[string]string{
		"docker://x":                           "docker://x:latest",
		"docker://localhost:5000/x:1":          "docker://localhost:5000/x:1",
		"docker://h.t/x@@unknown-digest@@":     "docker://h.t/x@@unknown-digest@@",
		"oci:/a/b":                             "oci:/a/b",
		"oci:/a/b:tag:more":                    "oci:/a/b:tag:more",
		"oci:d:@2":                             "oci:d:@2",
		"oci-archive:f.tar:x":                  "oci-archive:f.tar:x",
		"dir:a:b":                              "dir:a:b",
		"docker-archive:f.tar:x":               "docker-archive:f.tar:docker.io/library/x:latest",
		"containers-storage:x":                 "containers-storage:docker.io/library/x:latest",
		"containers-storage:[vfs@/a+/b:o=1]x":  "containers-storage:[vfs@/a+/b:o=1]docker.io/library/x:latest",
		"containers-storage:" + hex64:          "containers-storage:" + hex64,
		"containers-storage:localhost/x:1":     "containers-storage:localhost/x:1",
		"containers-storage:[/a]localhost/x:1": "containers-storage:[/a]localhost/x:1",
	} {
		l, err := ParseTransport(in)
		if err != nil || l.String() != want {
			t.Errorf("%q: %q, %v", in, l, err)
		}
	}
	for in, want := range map[string]string{
		"localhost/bb":         `Invalid image name "localhost/bb", expected colon-separated transport:reference`,
		"bogus:x":              `Invalid image name "bogus:x", unknown transport "bogus"`,
		"docker:x":             `docker: image reference x does not start with //`,
		"docker://UPPER":       `invalid reference format: repository name must be lowercase`,
		"docker://bad ref":     `invalid reference format`,
		"containers-storage:[": `containers-storage: the store specifier of "[" has no closing bracket`,
		"oci:d:@x":             `invalid source index @x: want a number from 0 up`,
	} {
		if _, err := ParseTransport(in); err == nil || err.Error() != want {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("h:5000/a/b:t@sha256:" + hex64)
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(n.String())
		if err != nil || again != n {
			t.Errorf("%q: %q parses to %+v, %v", s, n, again, err)
		}
	})
}

// FuzzTransport: a reference is refused, or written out means the same.
func FuzzTransport(f *testing.F) {
	for _, s := range []string{
		"docker://h:5000/a/b:t@sha256:" + hex64, "oci:/a/b:c", "oci:/a@3", "oci-archive:x.tar:n", "docker-archive:x.tar:@2", "docker-archive:x:a/b:1",
		"dir:/x", "docker-daemon:a:1", "containers-storage:[overlay@/g+/r:a=b]x:1@" + hex64, "tarball:a:b", "sif:x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseTransport(s)
		if err != nil {
			return
		}
		again, err := ParseTransport(l.String())
		if err != nil || again.String() != l.String() {
			t.Errorf("%q: %q means %q, %v", s, l.String(), again.String(), err)
		}
	})
}
