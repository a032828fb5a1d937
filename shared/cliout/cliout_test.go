package cliout

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
)

type row struct {
	Names     string
	CreatedAt string
	Count     int
}

func (r row) ID() string { return "id-" + r.Names }

func TestRows(t *testing.T) {
	const table = "table {{.ID}}\t{{.Names}}\t{{.Count}}"
	headers := map[string]string{"ID": "CONTAINER ID"}
	rows := []row{{"a", "now", 1}, {"a-very-long-name", "then", 22}}
	tests := []struct {
		name, format, want string
		opts               RowsOptions
	}{
		{name: "default", want: "CONTAINER ID  NAMES             COUNT\nid-a                 a                 1\nid-a-very-long-name  a-very-long-name  22\n"},
		{name: "no heading", opts: RowsOptions{NoHeading: true}, want: "id-a                 a                 1\nid-a-very-long-name  a-very-long-name  22\n"},
		{name: "table alone", format: "table", opts: RowsOptions{NoHeading: true}, want: "id-a                 a                 1\nid-a-very-long-name  a-very-long-name  22\n"},
		{name: "narrow columns", format: "table {{.CreatedAt}} {{.Count}}", want: "CREATED AT  COUNT\nnow         1\nthen        22\n"},
		{name: "escaped tab", format: `table {{.CreatedAt}}\t{{.Count}}`, want: "CREATED AT  COUNT\nnow         1\nthen        22\n"},
		{name: "table of templates", format: "table {{.ID}}:{{.Count}}\t{{upper .CreatedAt}}", want: "CONTAINER ID:COUNT      CREATED AT\nid-a:1                  NOW\nid-a-very-long-name:22  THEN\n"},
		{name: "template", format: "{{.Names}} {{upper .CreatedAt}}", want: "a NOW\na-very-long-name THEN\n"},
		{name: "template with a tab", format: `{{.Names}}\t{{.Count}}`, want: "a\t1\na-very-long-name\t22\n"},
		{name: "own range", format: "{{range .}}{{.ID}};{{end}}", want: "id-a;id-a-very-long-name;"},
		{name: "json", format: "json", opts: RowsOptions{JSON: []int{1}}, want: "[\n    1\n]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The long row's ID decides the first column's width.
			tt.want = strings.Replace(tt.want, "CONTAINER ID  NAMES  ", "CONTAINER ID         NAMES  ", 1)
			var out bytes.Buffer
			if err := Rows(&out, tt.format, table, headers, rows, tt.opts); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", out.String(), tt.want)
			}
		})
	}
}

func TestTemplateErrors(t *testing.T) {
	tests := []struct{ format, want string }{
		{"{{.Bogus}}", `template: ps:1:13: executing "ps" at <.Bogus>: can't evaluate field Bogus in type cliout.row`},
		{"{{", "template: ps:1: unclosed action"},
		{"table {{.Bogus}}", "can't evaluate field Bogus in type cliout.row"},
		{"table {{upper .Bogus}}", "can't evaluate field Bogus in type cliout.row"},
	}
	for _, tt := range tests {
		err := Rows(&bytes.Buffer{}, tt.format, "", nil, []row{{}}, RowsOptions{Name: "ps"})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.format, err, tt.want)
		}
		if !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%s: not of class invalid", tt.format)
		}
	}
	err := Template(&bytes.Buffer{}, "inspect", "{{.Bogus}}", row{})
	if want := `template: inspect:1:13: executing "inspect" at <.Bogus>: can't evaluate field Bogus in type interface {}`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestHumanSize(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1 kB", 1460: "1.46 kB", 4290000: "4.29 MB",
		999_600: "1 MB", 222_000_000: "222 MB", -1500: "-1.5 kB",
	} {
		if got := HumanSize(bytes); got != want {
			t.Errorf("HumanSize(%d) = %q, want %q", bytes, got, want)
		}
	}
}

func TestHumanDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "Less than a second", time.Second: "1 second", 59 * time.Second: "59 seconds",
		time.Minute: "About a minute", 2 * time.Minute: "2 minutes", time.Hour: "About an hour",
		47 * time.Hour: "47 hours", 48 * time.Hour: "2 days", 15 * 24 * time.Hour: "2 weeks",
		90 * 24 * time.Hour: "3 months", 3 * 365 * 24 * time.Hour: "3 years",
	} {
		if got := HumanDuration(d); got != want {
			t.Errorf("HumanDuration(%s) = %q, want %q", d, got, want)
		}
	}
}

// command builds a small tool to run through Main.
func command(name string) *cobra.Command {
	root := &cobra.Command{Use: name + " [options]", Short: "Test", Version: "1.2"}
	ps := &cobra.Command{Use: "ps THING", Short: "List", RunE: func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return nil
		case args[0] == "quiet":
			return &errdef.Exit{Code: 7}
		case args[0] == "loud":
			return &errdef.Exit{Code: 127, Err: errors.New("no such command")}
		}
		return errors.New("boom")
	}}
	ps.Flags().IntP("last", "n", -1, "how many")
	pod := &cobra.Command{Use: "pod", Short: "Pods"}
	pod.AddCommand(&cobra.Command{Use: "rm", Args: cobra.NoArgs, Run: func(*cobra.Command, []string) {}})
	root.AddCommand(ps, pod)
	return root
}

func TestMainErrors(t *testing.T) {
	tests := []struct {
		tool, args string
		status     int
		stderr     string
	}{
		{"podman", "ps", 0, ""},
		{"podman", "ps boom", 125, "Error: boom\n"},
		{"podman", "ps quiet", 7, ""},
		{"podman", "ps loud", 127, "Error: no such command\n"},
		{"podman", "ps --nosuchflag", 125, "Error: unknown flag: --nosuchflag\nSee 'podman ps --help'\n"},
		{"podman", "ps -Z", 125, "Error: unknown shorthand flag: 'Z' in -Z\nSee 'podman ps --help'\n"},
		{"podman", "--nosuchflag", 125, "Error: unknown flag: --nosuchflag\nSee 'podman --help'\n"},
		{"podman", "ps --last abc", 125, "Error: invalid argument \"abc\" for \"-n, --last\" flag: strconv.ParseInt: parsing \"abc\": invalid syntax\nSee 'podman ps --help'\n"},
		{"podman", "nosuchcommand", 125, "Error: unrecognized command `podman nosuchcommand`\nTry 'podman --help' for more information\n"},
		{"podman", "pod2", 125, "Error: unrecognized command `podman pod2`\n\nDid you mean this?\n\tpod\n\nTry 'podman --help' for more information\n"},
		{"podman", "pod nosuchcommand", 125, "Error: unrecognized command `podman pod nosuchcommand`\nTry 'podman pod --help' for more information\n"},
		{"podman", "pod rm extra", 125, "Error: `podman pod rm` takes no arguments\n"},
		{"podman", "pod", 125, "Error: missing command 'podman pod COMMAND'\n"},
		{"podman", "", 125, "Error: missing command 'podman COMMAND'\n"},
		{"buildah", "nosuch", 125, "Error: unknown command \"nosuch\" for \"buildah\"\n"},
		{"buildah", "ps --nosuch", 125, "Error: unknown flag: --nosuch\n"},
		{"buildah", "", 0, ""},
		{"skopeo", "nosuch", 1, "time=\"T\" level=fatal msg=\"Unrecognized command `skopeo nosuch`\\nTry 'skopeo --help' for more information\"\n"},
		{"skopeo", "ps --nosuch", 1, "time=\"T\" level=fatal msg=\"unknown flag: --nosuch\"\n"},
		{"skopeo", "", 1, "time=\"T\" level=fatal msg=\"Missing command 'skopeo COMMAND'\\nTry 'skopeo --help' for more information\"\n"},
	}
	stamp := regexp.MustCompile(`time="[^"]*"`)
	for _, tt := range tests {
		t.Run(tt.tool+" "+tt.args, func(t *testing.T) {
			var out, errs bytes.Buffer
			status := Main(tt.tool, command(tt.tool), MainOptions{Args: strings.Fields(tt.args), Stdout: &out, Stderr: &errs})
			if got := stamp.ReplaceAllString(errs.String(), `time="T"`); got != tt.stderr {
				t.Errorf("stderr %q, want %q", got, tt.stderr)
			}
			if status != tt.status {
				t.Errorf("status %d, want %d", status, tt.status)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	tests := []struct{ tool, args, want string }{
		{"podman", "ps --help", "List\n\nDescription:\n  List\n\nUsage:\n  podman ps [options] THING\n\nOptions:\n  -n, --last int   how many (default -1)\n\n"},
		{"podman", "--version", "podman version 1.2\n"},
		{"buildah", "ps --help", "List\n\nUsage:\n  buildah ps THING [flags]\n\nFlags:\n  -h, --help       help for ps\n  -n, --last int   how many (default -1)\n\n"},
	}
	for _, tt := range tests {
		var out bytes.Buffer
		if status := Main(tt.tool, command(tt.tool), MainOptions{Args: strings.Fields(tt.args), Stdout: &out}); status != 0 {
			t.Errorf("%s %s: status %d", tt.tool, tt.args, status)
		}
		if out.String() != tt.want {
			t.Errorf("%s %s:\n%q\nwant\n%q", tt.tool, tt.args, out.String(), tt.want)
		}
	}
}
