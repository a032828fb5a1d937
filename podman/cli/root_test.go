package cli

import (
	"slices"
	"testing"

	"github.com/podsuite/podsuite/podman/cli/app"
)

// TestNamesOfCommands: a command under another name would not be found.
func TestNamesOfCommands(t *testing.T) {
	for _, c := range commands() {
		if cmd := c.add(new(app.App)); cmd.Name() != c.name {
			t.Errorf("command %q is listed as %q", cmd.Name(), c.name)
		}
	}
}

func TestOnlyTheNamedCommandIsDeclared(t *testing.T) {
	all := len(commands())
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"ps", "-a"}, 1}, {[]string{"--root", "images", "ps"}, 1}, {[]string{"--root=images", "run", "x"}, 1},
		{nil, all}, {[]string{"--help"}, all}, {[]string{"help", "ps"}, all}, {[]string{"--version"}, 0}, {[]string{"nosuch"}, all}, {[]string{"--", "x"}, all},
	} {
		root := NewRoot(c.args)
		if n := len(root.Commands()); n != c.want {
			t.Errorf("%q: %d commands, want %d", c.args, n, c.want)
		}
		if c.want == 1 && !slices.Contains(c.args, root.Commands()[0].Name()) {
			t.Errorf("%q: declared %q", c.args, root.Commands()[0].Name())
		}
	}
}
