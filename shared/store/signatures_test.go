package store

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

func texts(blobs [][]byte) []string {
	var out []string
	for _, b := range blobs {
		out = append(out, string(b))
	}
	return out
}

func wantSignatures(t *testing.T, s *Store, id string, m digest.Digest, want ...string) {
	t.Helper()
	got, err := s.Signatures(id, m)
	if err != nil || !slices.Equal(texts(got), want) {
		t.Errorf("signatures of %s: %q, %v; want %q", m, texts(got), err, want)
	}
}

func TestSignatures(t *testing.T) {
	needRoot(t)
	s := open(t)
	manifest, config := []byte(`{"schemaVersion":2,"a":1}`), []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
	first := digest.FromBytes(manifest)
	img, err := s.CreateImage(NewImage{Names: []string{"localhost/signed"}, Manifest: manifest, Config: config, Signatures: [][]byte{[]byte("one"), []byte("second")}})
	if err != nil {
		t.Fatal(err)
	}
	wantSignatures(t, s, img.ID, first, "one", "second")
	wantSignatures(t, s, img.ID, digest.FromString("another"))

	// The same image under another manifest has signatures of its own.
	other := []byte(`{"schemaVersion":2,"a":2}`)
	if _, err := s.CreateImage(NewImage{Manifest: other, Config: config, Signatures: [][]byte{[]byte("third")}}); err != nil {
		t.Fatal(err)
	}
	wantSignatures(t, s, img.ID, first, "one", "second")
	wantSignatures(t, s, img.ID, digest.FromBytes(other), "third")

	// A copy without signatures takes the manifest's away, and only those.
	if _, err := s.CreateImage(NewImage{Manifest: other, Config: config}); err != nil {
		t.Fatal(err)
	}
	wantSignatures(t, s, img.ID, first, "one", "second")
	wantSignatures(t, s, img.ID, digest.FromBytes(other))
	if _, err := s.Signatures("nosuch", first); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("signatures of no image: %v", err)
	}
}

func TestDamagedSignatures(t *testing.T) {
	needRoot(t)
	s := open(t)
	manifest := []byte(`{"schemaVersion":2}`)
	m := digest.FromBytes(manifest)
	img, err := s.CreateImage(NewImage{Manifest: manifest, Config: []byte(`{"os":"linux"}`), Signatures: [][]byte{[]byte("short")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, sizes := range [][]int{{6}, {-1}, {5, 1}} {
		text, _ := json.Marshal(imageMetadata{ByManifest: map[digest.Digest][]int{m: sizes}})
		if err := s.lib.SetMetadata(img.ID, string(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Signatures(img.ID, m); !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("sizes %v: %q, %v", sizes, texts(got), err)
		}
	}
	if err := s.lib.SetMetadata(img.ID, "no JSON"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Signatures(img.ID, m); !errors.Is(err, errdef.ErrInvalid) {
		t.Errorf("metadata that is none: %v", err)
	}
}
