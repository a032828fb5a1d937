package registry

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/auth"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

func testConfig(t *testing.T) *config.Config {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Load(config.Options{
		Prefix: dir, User: &config.User{UID: 1000, Home: dir},
		Getenv: func(name string) string { return map[string]string{"XDG_RUNTIME_DIR": dir}[name] },
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// client makes a client of repository r at the server.
func client(t *testing.T, server string, insecure bool, o Options) *Client {
	t.Helper()
	_, host, ok := strings.Cut(server, "://")
	if !ok {
		host = server
	}
	n, err := ref.ParseNormalized(host + "/r")
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(testConfig(t), n, insecure, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestPlainHTTPIsRefusedWithAHint(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {})
	_, err := client(t, s.URL, false, Options{}).Tags(context.Background())
	for _, want := range []string{"http: server gave HTTP response to HTTPS client", "registries.conf", "insecure = true"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
	if !errors.Is(err, errdef.ErrUnavailable) {
		t.Errorf("class of %v", err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"tags":["a"]}`) }))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	if _, err := client(t, s.URL, false, Options{}).Tags(context.Background()); err == nil || !strings.Contains(err.Error(), "certs.d") {
		t.Errorf("unknown certificate: %v", err)
	}
	dir := t.TempDir()
	pem := "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(s.Certificate().Raw) + "\n" + "-----END CERTIFICATE-----\n"
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), []byte(pem), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{CertDir: dir}, {TLSVerify: new(bool)}} {
		if tags, err := client(t, s.URL, false, o).Tags(context.Background()); err != nil || len(tags) != 1 {
			t.Errorf("%+v: %v, %v", o, tags, err)
		}
	}
}

func TestConnectionRefusedFailsAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err = client(t, l.Addr().String(), true, Options{Retries: 3, RetryDelay: time.Hour}).Manifest(ctx, "x")
	if err == nil || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

func TestTransientStatusIsRetried(t *testing.T) {
	var calls atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" && calls.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"tags":["a"]}`)
	})
	if tags, err := client(t, s.URL, true, Options{Retries: 3, RetryDelay: time.Millisecond}).Tags(context.Background()); err != nil || len(tags) != 1 {
		t.Errorf("%v, %v", tags, err)
	}
	calls.Store(-1000)
	_, err := client(t, s.URL, true, Options{Retries: 2, RetryDelay: time.Millisecond}).Tags(context.Background())
	if calls.Load() != -1000+3 || !errors.Is(err, errdef.ErrUnavailable) {
		t.Errorf("%d calls, %v", calls.Load()+1000, err)
	}
}

func TestGarbageIsOneClearLine(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"html":   func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>\n<body>\n") },
		"teapot": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(418); fmt.Fprint(w, "a\nb\x1b[31m") },
		"denied": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) },
		"escapes": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			fmt.Fprint(w, `{"errors":[{"code":"X","message":"a\nb\u001b[2J"}]}`)
		},
		"endless": func(w http.ResponseWriter, r *http.Request) { io.CopyN(w, zeros{}, maxListSize+10) },
		"own loop": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", r.URL.Path)
			w.WriteHeader(302)
		},
	} {
		s := serve(t, h)
		_, err := client(t, s.URL, true, Options{}).Tags(context.Background())
		if err == nil || strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 500 {
			t.Errorf("%s: %q", name, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestManifestLimits(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/big") {
			io.CopyN(w, zeros{}, MaxManifestSize+1)
			return
		}
		fmt.Fprint(w, "{}")
	})
	c := client(t, s.URL, true, Options{})
	if _, err := c.Manifest(context.Background(), "big"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("big manifest: %v", err)
	}
	if _, err := c.Manifest(context.Background(), digest.FromString("other").String()); !errors.Is(err, errdef.ErrInvalid) {
		t.Errorf("wrong digest: %v", err)
	}
	if m, err := c.Manifest(context.Background(), digest.FromString("{}").String()); err != nil || string(m.Bytes) != "{}" {
		t.Errorf("right digest: %v", err)
	}
}

func TestBrokenDownloadIsResumed(t *testing.T) {
	content := strings.Repeat("0123456789abcdef", 1<<14)
	var requests atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		from := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		requests.Add(1)
		io.WriteString(w, content[from:min(from+100000, len(content))])
		if from+100000 < len(content) {
			panic(http.ErrAbortHandler)
		}
	})
	r, _, err := client(t, s.URL, true, Options{RetryDelay: time.Millisecond}).Blob(context.Background(), digest.FromString(content))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || string(got) != content || requests.Load() < 3 {
		t.Errorf("%d bytes of %d in %d requests, %v", len(got), len(content), requests.Load(), err)
	}
}

// A server that goes silent is taken for one whose connection broke.
func TestStalledDownloadIsResumed(t *testing.T) {
	const content = "0123456789abcdef"
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		from := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)-from))
			w.WriteHeader(http.StatusPartialContent)
			io.WriteString(w, content[from:])
			return
		}
		if r.URL.Path != "/v2/" {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			io.WriteString(w, content[:5])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	})
	c := client(t, s.URL, true, Options{RetryDelay: time.Millisecond})
	c.stall = 20 * time.Millisecond
	r, _, err := c.Blob(context.Background(), digest.FromString(content))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != content {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRedirectLoopEnds(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}
	})
	_, _, err := client(t, s.URL, true, Options{}).Blob(context.Background(), digest.FromString("x"))
	if err == nil || !strings.Contains(err.Error(), "stopped after 10 redirects") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

func TestTokens(t *testing.T) {
	var tokens, scopes atomic.Value
	scopes.Store("")
	var s *httptest.Server
	s = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if u, p, _ := r.BasicAuth(); u != "u" || p != "p" {
				w.WriteHeader(401)
				return
			}
			scopes.Store(scopes.Load().(string) + r.URL.Query().Get("scope") + ";")
			tok := hex.EncodeToString(sha256.New().Sum([]byte(r.URL.Query().Get("scope"))))
			tokens.Store("Bearer " + tok)
			fmt.Fprintf(w, `{"token":%q,"expires_in":300}`, tok)
			return
		}
		if want := tokens.Load(); want == nil || r.Header.Get("Authorization") != want {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="srv, x",scope="a:b:pull,push"`, s.URL))
			w.WriteHeader(401)
			return
		}
		fmt.Fprint(w, `{"tags":["a"]}`)
	})
	creds := &auth.Credentials{Username: "u", Password: "p"}
	c := client(t, s.URL, true, Options{Credentials: creds})
	for range 2 {
		if _, err := c.Tags(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if got := scopes.Load(); got != "repository:r:pull;" {
		t.Errorf("tokens were asked for with the scopes %q", got)
	}
	for _, o := range []Options{{Anonymous: true}, {Credentials: &auth.Credentials{Username: "u", Password: "wrong"}}} {
		if _, err := client(t, s.URL, true, o).Tags(context.Background()); !errors.Is(err, errdef.ErrDenied) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestCredentialsStayWithTheirHost(t *testing.T) {
	var leaked atomic.Bool
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		leaked.Store(r.Header.Get("Authorization") != "")
		fmt.Fprint(w, "x")
	})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); !ok {
			w.Header().Set("WWW-Authenticate", "Basic realm=x")
			w.WriteHeader(401)
			return
		}
		if r.URL.Path != "/v2/" {
			http.Redirect(w, r, other.URL+"/blob?secret=1", http.StatusTemporaryRedirect)
		}
	})
	c := client(t, s.URL, true, Options{Credentials: &auth.Credentials{Username: "u", Password: "p"}})
	r, _, err := c.Blob(context.Background(), digest.FromString("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if leaked.Load() {
		t.Error("the password went to another host")
	}
	other.Close()
	if _, _, err := c.Blob(context.Background(), digest.FromString("x")); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

func TestSearchFallsBackToTheCatalogue(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v2/":
		case r.URL.Path == "/v2/_catalog" && r.URL.RawQuery == "":
			w.Header().Set("Link", `</v2/_catalog?last=b&n=2>; rel="next"`)
			fmt.Fprint(w, `{"repositories":["a/one","b"]}`)
		case r.URL.Path == "/v2/_catalog":
			fmt.Fprint(w, `{"repositories":["c/one"]}`)
		default:
			w.WriteHeader(404)
		}
	})
	found, err := client(t, s.URL, true, Options{}).Search(context.Background(), "one", 10)
	if err != nil || len(found) != 2 || !strings.HasSuffix(found[1].Name, "/c/one") {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestParseParams(t *testing.T) {
	p := parseParams(`realm="https://a/t?x=1,2",service=s , Scope="q\"uoted"`)
	if p["realm"] != "https://a/t?x=1,2" || p["service"] != "s" || p["scope"] != `q"uoted` {
		t.Errorf("%q", p)
	}
	for _, bad := range []string{"", "=", `a="`, `a="\`, ",,,", "a"} {
		parseParams(bad)
	}
}
