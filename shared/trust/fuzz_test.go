package trust

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/signature"
)

// FuzzPolicy: whatever policy.json says, it is refused or gives an answer for
// every place, and one that rejects at once accepts nothing later.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"default":[{"type":"reject"}],"transports":{"docker":{"a.test/x:1":[{"type":"insecureAcceptAnything"}],"*.b.test":[{"type":"reject"}]},"dir":{"/a":[{"type":"reject"}]}}}`))
	f.Add([]byte(`{"default":[{"type":"signedBy","keyType":"GPGKeys","keyData":"AA==","signedIdentity":{"type":"remapIdentity","prefix":"a.test","signedPrefix":"b.test"}}]}`))
	f.Add([]byte(`{"default":[{"type":"sigstoreSigned","keyData":"AA==","rekorPublicKeyData":"AA=="}]}`))
	f.Add([]byte(`{"default":[{"type":"sigstoreSigned","fulcio":{"caData":"AA==","oidcIssuer":"https://i.test","subjectEmail":"a@b.test"},"rekorPublicKeyPath":"/k"}]}`))
	f.Add([]byte(`{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPaths":["/none"],"signedIdentity":{"type":"exactRepository","dockerRepository":"a.test/x"}}],"transports":null}`))
	var places []ref.Location
	for _, s := range []string{"docker://a.test/x:1", "docker://q.b.test/y", "dir:/a/b", "oci:/a:x", "docker-archive:/a.tar"} {
		l, err := ref.ParseTransport(s)
		if err != nil {
			f.Fatal(err)
		}
		places = append(places, l)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		for _, l := range places {
			img := Image{Location: l, Signatures: func() ([]signature.Signature, error) { return nil, nil }}
			rejected, accepted := p.Rejects(l) != nil, p.Accept(img) == nil
			if rejected && accepted || p.AcceptsUnseen(l) && !accepted {
				t.Errorf("%s: rejected %v, accepted %v", l, rejected, accepted)
			}
		}
	})
}

// FuzzPlaces: whatever a file of registries.d says, it is refused or gives
// each image one place.
func FuzzPlaces(f *testing.F) {
	f.Add([]byte("default-docker:\n  lookaside: file:///s\n  lookaside-staging: file:///w\ndocker:\n  a.test/ns:\n    sigstore: https://s.test/%2e\n    use-sigstore-attachments: true\n"))
	f.Add([]byte("docker:\n  a.test: &x {lookaside: 'http://h.test'}\n  b.test: *x\n"))
	f.Add([]byte("docker: {a.test/ns/x: }\n"))
	dir := f.TempDir()
	cfg, err := config.Load(config.Options{Prefix: dir, User: &config.User{UID: 0, Home: dir}, Getenv: func(string) string { return "" }})
	if err != nil {
		f.Fatal(err)
	}
	name, err := ref.Parse("a.test/ns/x:1")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, "f.yaml"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := LoadPlaces(cfg, dir)
		if err != nil {
			return
		}
		p.Attachments(name)
		for _, write := range []bool{false, true} {
			side, err := p.Lookaside(name, write)
			if err == nil && side == nil || err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("lookaside %v, %v", side, err)
			}
		}
	})
}
