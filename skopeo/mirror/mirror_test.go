package mirror

import (
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/ref"
)

func docker(t *testing.T, name string) ref.Location {
	t.Helper()
	l, err := location(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dir(path string) ref.Location { return ref.Location{Transport: ref.Dir, Path: path, Index: -1} }

func TestTarget(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, test := range []struct {
		target Target
		source Source
		image  ref.Location
		want   string
	}{
		{Target{Transport: ref.Dir, Place: "/usb/"}, Source{}, docker(t, "r.io/team/app:v1"), "dir:/usb/app:v1"},
		{Target{Transport: ref.Dir, Place: "usb", Scoped: true}, Source{}, docker(t, "r.io:5000/team/app:v1"), "dir:usb/r.io:5000/team/app:v1"},
		{Target{Transport: ref.Dir, Place: "usb"}, Source{}, docker(t, "r.io/app"+digest), "dir:usb/app" + digest},
		{Target{Transport: ref.Docker, Place: "m.io/"}, Source{}, docker(t, "busybox:1"), "docker://m.io/busybox:1"},
		{Target{Transport: ref.Docker, Place: "m.io", Scoped: true}, Source{}, docker(t, "busybox:1"), "docker://m.io/docker.io/library/busybox:1"},
		{Target{Transport: ref.Docker, Place: "m.io/x", Suffix: "-a"}, Source{}, docker(t, "r.io/t/app:v1"), "docker://m.io/x/app:v1-a"},
		{Target{Transport: ref.Docker, Place: "m.io"}, Source{}, docker(t, "r.io/app"+digest), "docker://m.io/app" + digest},
		{Target{Transport: ref.Docker, Place: "m.io", Suffix: "-a"}, Source{}, docker(t, "r.io/app"+digest), "! named by its digest"},
		{Target{Transport: ref.Docker, Place: "m.io", Scoped: true}, Source{}, docker(t, "r.io:5000/app:v1"), "! cannot hold the port"},
		{Target{Transport: ref.Docker, Place: "m.io/x:tag"}, Source{}, docker(t, "r.io/app:v1"), "! invalid reference format"},
		{Target{Transport: ref.Docker, Place: "m.io"}, Source{Dir: "/usb"}, dir("/usb/r.io/t/app:v1"), "docker://m.io/app:v1"},
		{Target{Transport: ref.Docker, Place: "m.io", Scoped: true}, Source{Dir: "/usb"}, dir("/usb/r.io/t/app:v1"), "docker://m.io/r.io/t/app:v1"},
		{Target{Transport: ref.Docker, Place: "m.io", Scoped: true}, Source{Dir: "/usb/app:v1"}, dir("/usb/app:v1"), "docker://m.io/app:v1"},
		{Target{Transport: ref.Docker, Place: "m.io"}, Source{Dir: "/usb"}, dir("/usb/plain"), "docker://m.io/plain:latest"},
		{Target{Transport: ref.Docker, Place: "m.io"}, Source{Dir: "/usb"}, dir("/usb/UPPER:1"), "! repository name must be lowercase"},
	} {
		got, err := test.target.Of(test.source, test.image)
		if text, fails := strings.CutPrefix(test.want, "! "); fails {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%+v of %s: %v %v, want an error with %q", test.target, test.image, got, err, text)
			}
			continue
		}
		if err != nil || got.String() != test.want {
			t.Errorf("%+v of %s: got %s, %v, want %s", test.target, test.image, got, err, test.want)
		}
	}
}

func TestPlan(t *testing.T) {
	a, b := docker(t, "r.io/a/app:v1"), docker(t, "r.io/b/app:v1")
	target := Target{Transport: ref.Docker, Place: "m.io"}
	jobs, err := plan([]Source{{Images: []ref.Location{a}}, {Images: []ref.Location{a}}}, target)
	if err != nil || len(jobs) != 1 {
		t.Errorf("an image that is named twice: %d images, %v", len(jobs), err)
	}
	if _, err := plan([]Source{{Images: []ref.Location{a, b}}}, target); err == nil {
		t.Error("two images got one name")
	}
	target.Scoped = true
	if jobs, err := plan([]Source{{Images: []ref.Location{a, b}}}, target); err != nil || len(jobs) != 2 {
		t.Errorf("scoped: %d images, %v", len(jobs), err)
	}
}
