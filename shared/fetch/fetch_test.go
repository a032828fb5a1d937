package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
)

func TestOpen(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/file":
			w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
			io.WriteString(w, "content")
		case "/moved":
			http.Redirect(w, r, "/file", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "half")
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	ctx := context.Background()
	for _, path := range []string{"/file", "/moved"} {
		f, err := Open(ctx, s.URL+path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(f)
		if f.Close(); err != nil || string(data) != "content" || f.Size != 7 || f.Modified.Year() != 2026 {
			t.Errorf("%s: %q, %v, %+v", path, data, err, f)
		}
	}
	if _, err := Open(ctx, s.URL+"/nosuch", Options{}); !errors.Is(err, errdef.ErrNotFound) || !strings.Contains(err.Error(), "404") {
		t.Errorf("not found: %v", err)
	}
	if _, err := Open(ctx, s.URL+"/loop", Options{}); err == nil || !strings.Contains(err.Error(), "10 redirections") {
		t.Errorf("loop: %v", err)
	}
	f, err := Open(ctx, s.URL+"/cut", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.ReadAll(f); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %v", err)
	}
	for _, address := range []string{"", "file:///etc/passwd", "http://", "ftp://x/y"} {
		if _, err := Open(ctx, address, Options{}); !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestNoWayFromSafeToUnsafe(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	safe := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer safe.Close()
	c := client(Options{})
	c.Transport = safe.Client().Transport
	if resp, err := c.Get(safe.URL); err == nil || !errors.Is(err, errdef.ErrDenied) {
		t.Errorf("%v, %v", resp, err)
	}
}

func TestOpenAsksAgain(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked < 3 || r.URL.Path == "/never" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	o := Options{Retries: 2, RetryDelay: time.Millisecond}
	f, err := Open(t.Context(), s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	asked = 0
	if _, err := Open(t.Context(), s.URL+"/never", o); !errors.Is(err, errdef.ErrUnavailable) || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

func TestCertificates(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	if _, err := Open(t.Context(), s.URL, Options{}); err == nil {
		t.Error("a certificate nobody knows was believed")
	}
	f, err := Open(t.Context(), s.URL, Options{TLS: s.Client().Transport.(*http.Transport).TLSClientConfig})
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
