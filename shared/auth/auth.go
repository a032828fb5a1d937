package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
)

// Credentials are what a registry is given. IdentityToken, if set, is an
// OAuth2 refresh token and stands for the password.
type Credentials struct {
	Username      string
	Password      string
	IdentityToken string
}

// IsZero tells whether there are none.
func (c Credentials) IsZero() bool { return c == Credentials{} }

// Parse reads USERNAME[:PASSWORD].
func Parse(s string) (Credentials, error) {
	if s == "" {
		return Credentials{}, errdef.Newf(errdef.ErrInvalid, "credentials can't be empty")
	}
	user, password, _ := strings.Cut(s, ":")
	if user == "" {
		return Credentials{}, errdef.Newf(errdef.ErrInvalid, "username can't be empty")
	}
	return Credentials{Username: user, Password: password}, nil
}

// Store is the set of files and helpers that hold credentials.
type Store struct {
	path      string // the one that is written
	docker    bool   // path has Docker's format rules
	fallbacks []string
	helpers   []string // of registries.conf
}

// maxFileSize bounds a credentials file.
const maxFileSize = 4 << 20

// authsFile is the part of auth.json and Docker's config.json that is used.
type authsFile struct {
	Auths       map[string]entry  `json:"auths"`
	CredHelpers map[string]string `json:"credHelpers,omitempty"`
	CredsStore  string            `json:"credsStore,omitempty"`
}

type entry struct {
	Auth          string `json:"auth,omitempty"`
	Username      string `json:"username,omitempty"`
	Password      string `json:"password,omitempty"`
	IdentityToken string `json:"identitytoken,omitempty"`
}

// Open gives the credentials of the configuration's user. authFile, or the
// variable REGISTRY_AUTH_FILE, names a file to use alone, or DOCKER_CONFIG the
// directory with it.
func Open(cfg *config.Config, authFile string) (*Store, error) {
	s := &Store{}
	if r, err := cfg.Registries(); err == nil {
		s.helpers = r.CredentialHelpers
	}
	if authFile == "" {
		authFile = cfg.Getenv("REGISTRY_AUTH_FILE")
	}
	if dir := cfg.Getenv("DOCKER_CONFIG"); authFile == "" && dir != "" {
		authFile = filepath.Join(dir, "config.json")
	}
	if authFile != "" {
		s.path = authFile
		return s, nil
	}
	s.path = defaultPath(cfg)
	s.fallbacks = []string{
		filepath.Join(cfg.ConfigHome, "containers/auth.json"),
		filepath.Join(cfg.Home, ".docker/config.json"),
		filepath.Join(cfg.Home, ".dockercfg"),
	}
	return s, nil
}

// OpenCompat gives the credentials of one file in Docker's format.
func OpenCompat(path string) *Store {
	return &Store{path: path, docker: true}
}

// defaultPath is the file that login writes.
func defaultPath(cfg *config.Config) string {
	if dir := cfg.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "containers/auth.json")
	}
	if cfg.Rootless {
		return filepath.Join(cfg.RuntimeDir, "containers/auth.json")
	}
	return filepath.Join("/run/containers", strconv.Itoa(cfg.UID), "auth.json")
}

// Path is the file that Set and Remove write.
func (s *Store) Path() string { return s.path }

// Lookup gives the credentials for key, a registry or a repository within
// one. Without any it gives none and no error.
func (s *Store) Lookup(ctx context.Context, key string) (Credentials, error) {
	for _, h := range s.externalHelpers() {
		c, err := helperGet(ctx, h, host(key))
		if err != nil || !c.IsZero() {
			return c, err
		}
	}
	for _, path := range append([]string{s.path}, s.fallbacks...) {
		f, err := readFile(path)
		if err != nil {
			return Credentials{}, err
		}
		c, err := f.lookup(ctx, key)
		if err != nil {
			return c, fmt.Errorf("read credentials for %q from %q: %w", key, path, err)
		}
		if !c.IsZero() {
			return c, nil
		}
	}
	return Credentials{}, nil
}

func (s *Store) externalHelpers() []string {
	var out []string
	for _, h := range s.helpers {
		if h != "containers-auth.json" {
			out = append(out, h)
		}
	}
	return out
}

// lookup tries key and then each shorter namespace down to the registry.
func (f *authsFile) lookup(ctx context.Context, key string) (Credentials, error) {
	registry := host(key)
	if h := f.CredHelpers[registry]; h != "" {
		return helperGet(ctx, h, registry)
	}
	for k := key; ; {
		if e, ok := f.Auths[k]; ok && !e.empty() {
			return e.credentials()
		}
		i := strings.LastIndexByte(k, '/')
		if i < 0 {
			break
		}
		k = k[:i]
	}
	for k, e := range f.Auths {
		if legacyHost(k) == normalHost(registry) && !e.empty() {
			return e.credentials()
		}
	}
	if f.CredsStore == "" {
		return Credentials{}, nil
	}
	c, err := helperGet(ctx, f.CredsStore, registry)
	if errors.Is(err, exec.ErrNotFound) {
		// Docker's own, such as "desktop", is named for all registries, and
		// there may be nothing of Docker here but its file.
		return Credentials{}, nil
	}
	return c, err
}

func (e entry) empty() bool { return e == entry{} }

func (e entry) credentials() (Credentials, error) {
	c := Credentials{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken}
	if e.Auth == "" {
		return c, nil
	}
	raw, err := base64.StdEncoding.DecodeString(e.Auth)
	if err != nil {
		return Credentials{}, errdef.Newf(errdef.ErrInvalid, "the auth value is not base64")
	}
	user, password, ok := strings.Cut(string(raw), ":")
	if !ok {
		return Credentials{}, errdef.Newf(errdef.ErrInvalid, "the auth value is not USERNAME:PASSWORD")
	}
	c.Username, c.Password = user, strings.TrimRight(password, "\x00")
	return c, nil
}

func host(key string) string {
	h, _, _ := strings.Cut(key, "/")
	return h
}

// legacyHost is the registry of a key as Docker writes it, such as
// https://index.docker.io/v1/; a namespaced key is not one.
func legacyHost(key string) string {
	k := strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	if k == key && strings.Contains(strings.TrimSuffix(k, "/"), "/") && !strings.HasSuffix(k, "/v1/") && !strings.HasSuffix(k, "/v2/") {
		return ""
	}
	return normalHost(host(k))
}

func normalHost(h string) string {
	if h == "index.docker.io" || h == "registry-1.docker.io" {
		return "docker.io"
	}
	return h
}

// readFile reads a credentials file; one that is not there is empty.
func readFile(path string) (*authsFile, error) {
	f := &authsFile{}
	data, err := readLimited(path)
	if os.IsNotExist(err) || os.IsPermission(err) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		return f, nil
	}
	if filepath.Base(path) == ".dockercfg" {
		err = json.Unmarshal(data, &f.Auths)
	} else {
		err = json.Unmarshal(data, f)
	}
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "parse credentials file %q: %w", path, err)
	}
	return f, nil
}

func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(data) > maxFileSize {
		err = errdef.Newf(errdef.ErrInvalid, "%q is larger than %d bytes", path, maxFileSize)
	}
	return data, err
}
