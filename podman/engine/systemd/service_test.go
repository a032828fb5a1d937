package systemd

import (
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"plain":    "plain",
		"":         `""`,
		"a b":      `"a b"`,
		"50%":      "50%%",
		"$HOME":    "$$HOME",
		`say "x"`:  `"say \"x\""`,
		`a\b`:      `"a\\b"`,
		"it's":     `"it's"`,
		";":        `";"`,
		"a;b":      "a;b",
		"a\nb\tc":  `"a\nb\tc"`,
		"\x01é":    `"\x01é"`,
		"--opt=é%": "--opt=é%%",
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
	if got := QuoteEnv("A=$1 %"); got != `"A=$1 %%"` {
		t.Errorf("QuoteEnv: %s", got)
	}
}

func TestText(t *testing.T) {
	s := Service{Name: "web", Description: "Web", MountsFor: "/run", Restart: "always", TimeoutStop: 70, Env: []string{"A=b c"},
		Asked: map[DependsOn][]string{Requires: {"d.service"}, Wants: {"a.service", "b.service"}},
		Start: []string{"podman", "run", "--rm", "-e", "A=1", "image"}, Stop: []string{"podman", "stop"}}
	want := `# web.service

[Unit]
Description=Web
Documentation=man:podman-generate-systemd(1)
Wants=network-online.target
After=network-online.target
RequiresMountsFor=/run

# User-defined dependencies
Wants=a.service b.service
Requires=d.service

[Service]
Environment=PODMAN_SYSTEMD_UNIT=%n
Environment="A=b c"
Restart=always
TimeoutStopSec=70
ExecStart=podman run \
	--rm \
	-e A=1 image
ExecStop=podman stop
Type=notify
NotifyAccess=all

[Install]
WantedBy=default.target
`
	if got := s.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	s.PIDFile = "/run/pid"
	if got := s.Text(); !strings.Contains(got, "PIDFile=/run/pid\nType=forking\n") || strings.Contains(got, "notify\n") {
		t.Errorf("a service with a pid file:\n%s", got)
	}
}
