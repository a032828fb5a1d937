package build

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/podsuite/podsuite/shared/registry"
)

// TestDownloadBelievesCertificates has --cert-dir count for files of the web, too.
func TestDownloadBelievesCertificates(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("content")) }))
	defer s.Close()
	if _, err := download(t.Context(), s.URL+"/file", t.TempDir(), "", &registry.Options{}); err == nil {
		t.Error("a certificate that nobody knows was believed")
	}
	certs, dir := t.TempDir(), t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(certs, "ca.crt"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	name, err := download(t.Context(), s.URL+"/file", dir, "", &registry.Options{CertDir: certs})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
}
