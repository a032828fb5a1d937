package imgcopy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/ref"
)

func registriesConfig(t *testing.T, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "registries.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Options{Prefix: dir, User: &config.User{UID: 0, Home: dir}, Getenv: func(name string) string {
		if name == "CONTAINERS_REGISTRIES_CONF" {
			return path
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestResolveRemote(t *testing.T) {
	const two = "unqualified-search-registries=['a.test','b.test']\n"
	never := func(context.Context, string, []string) (int, error) { t.Error("asked"); return 0, nil }
	second := func(_ context.Context, question string, options []string) (int, error) {
		if !strings.Contains(question, `"img:1"`) || len(options) != 2 || options[1] != "b.test/img:1" {
			t.Errorf("asked %q: %q", question, options)
		}
		return 1, nil
	}
	for _, c := range []struct {
		name, conf, image string
		choose            Chooser
		want              string // names, or what the error holds
		fails             bool
	}{
		{"full name", two, "c.test/img:1", never, "c.test/img:1", false},
		{"alias", two + "[aliases]\nimg='c.test/x'\n", "img:1", never, "c.test/x:1", false},
		{"one registry", "short-name-mode='enforcing'\nunqualified-search-registries=['a.test']\n", "img", never, "a.test/img:latest", false},
		{"permissive, nobody to ask", two, "img", nil, "a.test/img:latest b.test/img:latest", false},
		{"permissive, asked", two, "img:1", second, "b.test/img:1", false},
		{"enforcing, asked", "short-name-mode='enforcing'\n" + two, "img:1", second, "b.test/img:1", false},
		{"enforcing, nobody to ask", "short-name-mode='enforcing'\n" + two, "img", nil, "cannot prompt without a TTY", true},
		{"disabled", "short-name-mode='disabled'\n" + two, "img", never, "a.test/img:latest b.test/img:latest", false},
		{"nothing to search", "", "img", never, `short-name "img" did not resolve to an alias and no unqualified-search registries are defined in "`, true},
	} {
		cfg := registriesConfig(t, c.conf)
		n, err := ref.Parse(c.image)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ResolveRemote(context.Background(), cfg, n, c.choose)
		if c.fails {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.want)
			}
			continue
		}
		var names []string
		for _, n := range got.Names {
			names = append(names, n.String())
		}
		if err != nil || strings.Join(names, " ") != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, names, err, c.want)
		}
	}
}

func TestChoiceIsRecorded(t *testing.T) {
	cfg := registriesConfig(t, "unqualified-search-registries=['a.test','b.test']\n")
	n, _ := ref.Parse("ns/img:1")
	for i, choose := range []Chooser{nil, func(context.Context, string, []string) (int, error) { return 1, nil }} {
		c, err := ResolveRemote(context.Background(), cfg, n, choose)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Record(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(cfg.Home, "var/cache/containers/short-name-aliases.conf"))
		if i == 0 && err == nil {
			t.Errorf("recorded without having asked: %s", data)
		}
		if i == 1 && !strings.Contains(string(data), `"ns/img" = "b.test/ns/img"`) {
			t.Errorf("recorded %q, %v", data, err)
		}
	}
	stop := errors.New("stop")
	if _, err := ResolveRemote(context.Background(), cfg, n, func(context.Context, string, []string) (int, error) { return 0, stop }); !errors.Is(err, stop) {
		t.Errorf("a choice that was not made: %v", err)
	}
}
