package login

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
)

// world is a registry that lets u in with the password p, and a
// configuration.
func world(t *testing.T) (*config.Config, Request) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	empty := filepath.Join(dir, "registries.conf")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONTAINERS_REGISTRIES_CONF", empty)
	t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(dir, "auth.json"))
	t.Setenv("HOME", dir)
	c, err := config.Load(config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c, Request{Registry: strings.TrimPrefix(server.URL, "http://"), TLSVerify: new(bool)}
}

// input is a file with the text.
func input(t *testing.T, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestLogin(t *testing.T) {
	c, base := world(t)
	for _, step := range []struct {
		what  string
		in    string
		set   func(*Request)
		out   string // is printed
		err   string // begins the error
		class error
	}{
		{"nobody is logged in", "", func(r *Request) { r.GetLogin = true }, "", "not logged into 127.0.0.1:", errdef.ErrNotFound},
		{"wrong password", "", func(r *Request) { r.Username, r.Password = "u", "q" }, "", `logging into "127.0.0.1:`, errdef.ErrDenied},
		{"no answer", "", func(*Request) {}, "", "getting username and password: reading username: EOF", nil},
		{"asked", "u\np\n", func(*Request) {}, "Login Succeeded!", "", nil},
		{"again", "", func(*Request) {}, "Existing credentials are valid. Already logged in to ", "", nil},
		{"who", "", func(r *Request) { r.GetLogin = true }, "u\n", "", nil},
		{"from standard input", "p\n", func(r *Request) { r.Username, r.PasswordStdin = "u", true }, "Login Succeeded!", "", nil},
		{"no user", "p\n", func(r *Request) { r.PasswordStdin = true }, "", "getting username and password: Must provide --username", errdef.ErrInvalid},
		{"no host", "", func(r *Request) { r.Registry = "a b" }, "", `"a b" is not the name of a registry`, errdef.ErrInvalid},
		{"no registry", "", func(r *Request) { r.Registry = "" }, "", "no registries found in registries.conf", errdef.ErrInvalid},
		{"two files", "", func(r *Request) { r.AuthFile, r.CompatFile = "a", "b" }, "", "options for paths", errdef.ErrInvalid},
		{"HTTPS wanted", "", func(r *Request) { r.TLSVerify, r.Username, r.Password = nil, "u", "p" }, "", `authenticating creds for "127.0.0.1:`, nil},
	} {
		r := base
		step.set(&r)
		var out bytes.Buffer
		err := Run(t.Context(), c, r, input(t, step.in), &out)
		if step.err == "" && err != nil || step.err != "" && (err == nil || !strings.HasPrefix(err.Error(), step.err)) {
			t.Errorf("%s: error %v, want %q", step.what, err, step.err)
		}
		if step.class != nil && !errors.Is(err, step.class) {
			t.Errorf("%s: the error %v is not of the class %v", step.what, err, step.class)
		}
		if !strings.Contains(out.String(), step.out) {
			t.Errorf("%s: printed %q, want %q in it", step.what, out.String(), step.out)
		}
	}
	var out bytes.Buffer
	if err := Out(t.Context(), c, base.Registry, false, "", "", &out); err != nil || out.String() != "Removed login credentials for "+base.Registry+"\n" {
		t.Errorf("logout: %v, printed %q", err, out.String())
	}
	if err := Out(t.Context(), c, base.Registry, false, "", "", &out); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("logout twice: %v", err)
	}
}

// TestLoginKeepsNothingWrong holds that credentials a registry refuses are
// not kept.
func TestLoginKeepsNothingWrong(t *testing.T) {
	c, r := world(t)
	r.Username, r.Password = "u", "wrong"
	if err := Run(t.Context(), c, r, input(t, ""), new(bytes.Buffer)); err == nil {
		t.Fatal("a wrong password was taken")
	}
	r.GetLogin = true
	if err := Run(t.Context(), c, r, input(t, ""), new(bytes.Buffer)); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("it was kept: %v", err)
	}
}
