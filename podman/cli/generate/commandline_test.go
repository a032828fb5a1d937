package generate

import (
	"reflect"
	"strings"
	"testing"
)

func TestSplitCommand(t *testing.T) {
	for line, want := range map[string]struct {
		global, options, names, rest string
		verb                         string
	}{
		"podman run image -d": {verb: "run", rest: "image -d"},
		"podman --root /r container create --name=a -it image sh":  {global: "--root /r", verb: "create", options: "--name=a -it", names: "name interactive+tty", rest: "image sh"},
		"podman run -dp 8080:80 -e A=b --rm image":                 {verb: "run", options: "-dp 8080:80 -e A=b --rm", names: "detach+publish env rm", rest: "image"},
		"podman run -p8080:80 -d=true --log-level debug image":     {verb: "run", options: "-p8080:80 -d=true --log-level debug", names: "publish detach log-level", rest: "image"},
		"podman run --name x -- image --rm":                        {verb: "run", options: "--name x", names: "name", rest: "image --rm"},
		"podman --log-level=error pod create web --replace -l a=b": {global: "--log-level=error", verb: "pod create", options: "--replace -l a=b", names: "replace label", rest: "web"},
	} {
		c, err := splitCommand(strings.Fields(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		var names []string
		for _, o := range c.Options {
			names = append(names, strings.Join(o.Names, "+"))
		}
		got := []string{strings.Join(c.Global, " "), c.Verb, strings.Join(c.Words(), " "), strings.Join(names, " "), strings.Join(c.Rest, " ")}
		if w := []string{want.global, want.verb, want.options, want.names, want.rest}; !reflect.DeepEqual(got, w) {
			t.Errorf("%s:\n got %q\nwant %q", line, got, w)
		}
	}
	for _, line := range []string{"", "podman", "podman container clone a", "podman pod clone p", "podman --root /r"} {
		if _, err := splitCommand(strings.Fields(line)); err == nil {
			t.Errorf("%q can be repeated", line)
		}
	}
}
