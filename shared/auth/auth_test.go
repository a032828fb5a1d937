package auth

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
)

func testConfig(t *testing.T) (*config.Config, string) {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Load(config.Options{
		Prefix: dir,
		User:   &config.User{UID: 1000, Home: dir},
		Getenv: func(name string) string {
			if name == "XDG_RUNTIME_DIR" {
				return filepath.Join(dir, "run")
			}
			return ""
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func lookup(t *testing.T, s *Store, key string) Credentials {
	t.Helper()
	c, err := s.Lookup(context.Background(), key)
	if err != nil {
		t.Fatalf("lookup %s: %v", key, err)
	}
	return c
}

func TestSetLookupRemove(t *testing.T) {
	cfg, dir := testConfig(t)
	ctx := context.Background()
	s, err := Open(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, s.Path(), `{"auths":{},"other":{"kept":1}}`)
	for key, user := range map[string]string{"r.test": "whole", "r.test/ns": "space", "localhost:5000": "local"} {
		if err := s.Set(ctx, key, Credentials{Username: user, Password: "p:w"}); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string]string{"r.test/x": "whole", "r.test/ns/x": "space", "r.test/nsx": "whole", "localhost:5000/a/b": "local", "r.test.evil/x": "", "other/x": ""} {
		if got := lookup(t, s, key); got.Username != want || want != "" && got.Password != "p:w" {
			t.Errorf("%s: %+v, want user %q", key, got, want)
		}
	}
	if fi, err := os.Stat(s.Path()); err != nil || fi.Mode().Perm() != 0o600 || !strings.HasPrefix(s.Path(), dir) {
		t.Errorf("file: %v, %v", fi, err)
	}
	if data, _ := os.ReadFile(s.Path()); !strings.Contains(string(data), `"kept"`) {
		t.Errorf("other settings were lost: %s", data)
	}
	if err := s.Remove(ctx, "r.test"); err != nil {
		t.Fatal(err)
	}
	if got := lookup(t, s, "r.test/x"); !got.IsZero() {
		t.Errorf("after remove: %+v", got)
	}
	if got := lookup(t, s, "r.test/ns/x"); got.Username != "space" {
		t.Errorf("namespace entry went with the registry's: %+v", got)
	}
	if err := s.Remove(ctx, "r.test"); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("second remove: %v", err)
	}
}

func TestDockerFiles(t *testing.T) {
	cfg, dir := testConfig(t)
	s, _ := Open(cfg, "")
	write(t, filepath.Join(dir, ".docker/config.json"), `{"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"},"bad.test":{"auth":"!"}}}`)
	write(t, filepath.Join(dir, ".dockercfg"), `{"old.test":{"auth":"dTpw"}}`)
	for _, key := range []string{"docker.io/library/x", "old.test/x"} {
		if got := lookup(t, s, key); got.Username != "u" || got.Password != "p" {
			t.Errorf("%s: %+v", key, got)
		}
	}
	if _, err := s.Lookup(context.Background(), "bad.test/x"); !errors.Is(err, errdef.ErrInvalid) {
		t.Errorf("bad entry: %v", err)
	}
	only, _ := Open(cfg, filepath.Join(dir, "own.json"))
	if got := lookup(t, only, "docker.io/x"); !got.IsZero() {
		t.Errorf("an explicit file reads others too: %+v", got)
	}
}

func TestDockerConfigIsTheOnlyFile(t *testing.T) {
	dir := t.TempDir()
	cfg, err := config.Load(config.Options{
		Prefix: dir,
		User:   &config.User{UID: 1000, Home: dir},
		Getenv: func(name string) string {
			return map[string]string{"DOCKER_CONFIG": filepath.Join(dir, "docker")}[name]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".config/containers/auth.json"), `{"auths":{"a.test":{"auth":"dTpw"}}}`)
	write(t, filepath.Join(dir, "docker/config.json"), `{"auths":{"b.test":{"auth":"dTpw"}}}`)
	s, err := Open(cfg, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := lookup(t, s, "b.test/x"); got.Username != "u" {
		t.Errorf("the file there: %+v", got)
	}
	if got := lookup(t, s, "a.test/x"); !got.IsZero() {
		t.Errorf("another file: %+v", got)
	}
	if s.Path() != filepath.Join(dir, "docker/config.json") {
		t.Errorf("login writes %s", s.Path())
	}
}

func TestHelper(t *testing.T) {
	cfg, dir := testConfig(t)
	write(t, filepath.Join(dir, "bin/docker-credential-fake"), `#!/bin/sh
read -r server
case "$1 $server" in
"get h.test") echo '{"Username":"hu","Secret":"hs"}' ;;
"get t.test") echo '{"Username":"<token>","Secret":"tok"}' ;;
*) echo "credentials not found in native keychain"; exit 1 ;;
esac
`)
	t.Setenv("PATH", filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	s, _ := Open(cfg, "")
	write(t, s.Path(), `{"credHelpers":{"h.test":"fake","t.test":"fake","none.test":"fake","gone.test":"missing"}}`)
	if got := lookup(t, s, "h.test/x"); got.Username != "hu" || got.Password != "hs" {
		t.Errorf("helper: %+v", got)
	}
	if got := lookup(t, s, "t.test/x"); got.IdentityToken != "tok" || got.Username != "" {
		t.Errorf("token: %+v", got)
	}
	if got := lookup(t, s, "none.test/x"); !got.IsZero() {
		t.Errorf("helper without an entry: %+v", got)
	}
	if _, err := s.Lookup(context.Background(), "gone.test/x"); err == nil || !strings.Contains(err.Error(), "docker-credential-missing") {
		t.Errorf("missing helper: %v", err)
	}
	write(t, s.Path(), `{"credsStore":"fake"}`)
	if got := lookup(t, s, "h.test/x"); got.Username != "hu" {
		t.Errorf("helper for all: %+v", got)
	}
	write(t, s.Path(), `{"credsStore":"missing"}`)
	if got := lookup(t, s, "h.test/x"); !got.IsZero() {
		t.Errorf("missing helper for all: %+v", got)
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"auths":{"r.test":{"auth":"dTpw"}},"credHelpers":{"h.test":"none"}}`))
	f.Add([]byte(`{"auths":null}`))
	f.Add([]byte(`null`))
	path := filepath.Join(f.TempDir(), "auth.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		s := OpenCompat(path)
		if c, err := s.Lookup(context.Background(), "r.test/ns/x"); err != nil && !c.IsZero() {
			t.Errorf("credentials %+v in spite of %v", c, err)
		}
		if err := s.Set(context.Background(), "own.test", Credentials{Username: "u", Password: "p"}); err != nil {
			return
		}
		if c, err := s.Lookup(context.Background(), "own.test"); err != nil || c.Password != "p" {
			t.Errorf("what was written is %+v, %v", c, err)
		}
	})
}
