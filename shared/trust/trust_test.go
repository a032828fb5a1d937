package trust

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/signature"
)

func policy(t *testing.T, text string) (*Policy, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return Load(nil, path)
}

func location(t *testing.T, image string) ref.Location {
	t.Helper()
	l, err := ref.ParseTransport(image)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func unsigned(l ref.Location) Image {
	return Image{Location: l, Signatures: func() ([]signature.Signature, error) { return nil, nil }}
}

func TestScopes(t *testing.T) {
	p, err := policy(t, `{"default":[{"type":"reject"}],"transports":{"docker":{
		"ok.test":[{"type":"insecureAcceptAnything"}],
		"ok.test/bad":[{"type":"reject"}],
		"ok.test/bad/not":[{"type":"insecureAcceptAnything"}],
		"ok.test/x:bad":[{"type":"reject"}],
		"*.wild.test":[{"type":"insecureAcceptAnything"}],
		"port.test:5000":[{"type":"insecureAcceptAnything"}],
		"signed.test":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/k"}]},
		"oci":{"/a/b":[{"type":"insecureAcceptAnything"}],"/a/b/c:bad":[{"type":"reject"}]},
		"containers-storage":{"[overlay@/s]ok.test":[{"type":"insecureAcceptAnything"}],"[/t]":[{"type":"insecureAcceptAnything"}]},
		"dir":{"":[{"type":"insecureAcceptAnything"}]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for image, ok := range map[string]bool{
		"docker://ok.test/x": true, "docker://ok.test/bad/x": false, "docker://ok.test/bad": false, "docker://ok.test/bad/not:1": true,
		"docker://ok.test/x:bad": false, "docker://a.b.wild.test/x": true, "docker://a.wild.test:80/x": true, "docker://wild.test/x": false,
		"docker://signed.test/x": false, "docker://else.test/x": false, "docker://port.test:5000/x": true, "docker://port.test/x": false,
		"dir:/x": true, "oci:/x": false, "oci:/a/b/c": true, "oci:/a/b/c:good": true, "oci:/a/b/c:bad": false, "oci:/a/bc": false,
		"containers-storage:[overlay@/s+/r]ok.test/x:1": true, "containers-storage:[overlay@/s+/r]no.test/x:1": false,
		"containers-storage:[vfs@/s+/r]ok.test/x:1": false, "containers-storage:[vfs@/t+/r]any.test/x:1": true,
	} {
		if err := p.Accept(unsigned(location(t, image))); (err == nil) != ok || err != nil && !errors.Is(err, errdef.ErrDenied) {
			t.Errorf("%s: %v", image, err)
		}
	}
	if err := p.Rejects(location(t, "docker://else.test/x")); !errors.Is(err, errdef.ErrDenied) {
		t.Errorf("what is rejected in any case: %v", err)
	}
	if !p.AcceptsUnseen(location(t, "docker://ok.test/x")) || p.AcceptsUnseen(location(t, "docker://signed.test/x")) {
		t.Error("what is accepted unseen")
	}
	if err := p.Rejects(location(t, "docker://signed.test/x")); err != nil {
		t.Errorf("what a signature may allow: %v", err)
	}
}

func TestInvalid(t *testing.T) {
	signed := func(members string) string { return `{"default":[{"type":"signedBy",` + members + `}]}` }
	stored := func(members string) string { return `{"default":[{"type":"sigstoreSigned",` + members + `}]}` }
	for text, want := range map[string]string{
		`{"default":[]}`:                        "must not be empty",
		`{}`:                                    "Default policy is missing",
		`x`:                                     "invalid character",
		`[]`:                                    "JSON object expected",
		`{"default":[{"type":"reject"}]} x`:     "invalid character",
		`{"default":[{"type":"bogus"}]}`:        `Unknown policy requirement type "bogus"`,
		`{"default":[{"type":"reject","x":1}]}`: `Unknown key "x"`,
		`{"default":[{"type":"reject"}],"x":1}`: `Unknown key "x"`,
		`{"default":[{"type":"reject"}],"default":[{"type":"reject"}]}`:                                                         `Duplicate key "default"`,
		`{"default":[{"type":"reject"}],"transports":{"dir":{"x":[{"type":"reject"}]}}}`:                                        `Unknown key "x"`,
		`{"default":[{"type":"reject"}],"transports":{"dir":{"/":[{"type":"reject"}]}}}`:                                        `Unknown key "/"`,
		`{"default":[{"type":"reject"}],"transports":{"docker":{"":[]}}}`:                                                       "must not be empty",
		signed(`"keyType":"GPGKeys"`):                                                                                           "none of them present",
		signed(`"keyType":"GPGKeys","keyPath":"x","keyData":"eA=="`):                                                            "more than one present",
		signed(`"keyType":"GPGKeys","keyData":"!"`):                                                                             "illegal base64",
		signed(`"keyType":"x","keyPath":"x"`):                                                                                   `Unrecognized keyType value "x"`,
		signed(`"keyType":"GPGKeys","keyPath":"x","signedIdentity":{"type":"x"}`):                                               `reference match type "x"`,
		signed(`"keyType":"GPGKeys","keyPath":"x","signedIdentity":{"type":"matchExact","x":1}`):                                `Unknown key "x"`,
		signed(`"keyType":"GPGKeys","keyPath":"x","signedIdentity":{"type":"exactReference","dockerReference":"x"}`):            "neither a tag nor digest",
		signed(`"keyType":"GPGKeys","keyPath":"x","signedIdentity":{"type":"exactRepository"}`):                                 `"dockerRepository" missing`,
		signed(`"keyType":"GPGKeys","keyPath":"x","signedIdentity":{"type":"remapIdentity","prefix":"a b","signedPrefix":"x"}`): `prefix "a b" is not valid`,
		stored(`"keyPath":"x","keyData":"eA=="`):                                                                                "exactly one of",
		stored(`"keyDatas":[]`):                                                                                                 "must not be empty",
		stored(`"fulcio":{}`):                                                                                                   "caPath and caData",
		stored(`"fulcio":{"caPath":"x","oidcIssuer":"y"}`):                                                                      "subjectEmail not specified",
		stored(`"fulcio":{"caPath":"x","oidcIssuer":"y","subjectEmail":"z"}`):                                                   "must be specified if fulcio is used",
		stored(`"pki":{"caRootsPath":"x"}`):                                                                                     "subjectEmail, subjectHostname",
		stored(`"pki":{"caRootsPath":"x","subjectEmail":"x"},"rekorPublicKeyPath":"y"`):                                         "not supported for pki",
	} {
		if _, err := policy(t, text); err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestIdentity(t *testing.T) {
	const digested = "q.test/a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for _, c := range []struct {
		identity, image, claimed string
		ok                       bool
	}{
		{``, "docker://q.test/a/b:1", "q.test/a/b:1", true},
		{``, "docker://q.test/a/b:1", "q.test/a/b:2", false},
		{``, "docker://q.test/a/b:1", "q.test/a/b", false},
		{``, "docker://busybox", "busybox:latest", true},
		{``, "docker://" + digested, "q.test/a/b:9", true},
		{``, "docker://" + digested, "q.test/a/c:9", false},
		{``, "dir:/x", "q.test/a/b:1", false},
		{`{"type":"matchExact"}`, "docker://q.test/a/b:1", "q.test/a/b:1", true},
		{`{"type":"matchExact"}`, "docker://" + digested, "q.test/a/b:1", false},
		{`{"type":"matchRepository"}`, "docker://q.test/a/b:1", "q.test/a/b:2", true},
		{`{"type":"matchRepository"}`, "docker://q.test/a/b:1", "q.test/a/c:1", false},
		{`{"type":"exactReference","dockerReference":"v.test/x:1"}`, "dir:/x", "v.test/x:1", true},
		{`{"type":"exactReference","dockerReference":"v.test/x:1"}`, "dir:/x", "v.test/x:2", false},
		{`{"type":"exactRepository","dockerRepository":"v.test/x"}`, "dir:/x", "v.test/x:2", true},
		{`{"type":"exactRepository","dockerRepository":"v.test/x"}`, "dir:/x", "v.test/x/y:2", false},
		{`{"type":"remapIdentity","prefix":"q.test/a","signedPrefix":"v.test"}`, "docker://q.test/a/b:1", "v.test/b:1", true},
		{`{"type":"remapIdentity","prefix":"q.test/a","signedPrefix":"v.test"}`, "docker://q.test/ab/b:1", "v.testb/b:1", false},
		{`{"type":"remapIdentity","prefix":"q.test/a","signedPrefix":"v.test"}`, "docker://q.test/c/b:1", "q.test/c/b:1", true},
		{`{"type":"remapIdentity","prefix":"q.test","signedPrefix":"v.test/w"}`, "docker://q.test/b:1", "v.test/w/b:2", false},
	} {
		var data []byte
		if c.identity != "" {
			data = []byte(c.identity)
		}
		id, err := parseIdentity(data)
		if err != nil {
			t.Errorf("%s: %v", c.identity, err)
			continue
		}
		if ok := id.accepts(location(t, c.image), c.claimed); ok != c.ok {
			t.Errorf("%s for %s, claimed %s: %v", c.identity, c.image, c.claimed, ok)
		}
	}
}

func TestSetKeepsTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.json")
	old := `{"default":[{"type":"reject"}],"transports":{"oci":{"/x":[{"type":"reject"}]},"docker":{"a.test":[{"type":"sigstoreSigned","keyData":"AAAA"}]}}}`
	if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	set := func(r Rule) error { return Set(nil, link, r) }
	if err := set(Rule{Scope: "*.b.test", Type: "signedBy", Keys: []string{"/one", "/two"}}); err != nil {
		t.Fatal(err)
	}
	p, err := Load(nil, path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range p.Entries(&Places{}) {
		got = append(got, strings.Join(append([]string{e.Transport, e.Scope, e.Type}, e.Keys...), " "))
	}
	want := []string{"all default reject", "repository *.b.test signed /one", "repository *.b.test signed /two", "repository a.test sigstoreSigned", "oci /x reject"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("permissions: %v, %v", fi.Mode(), err)
	}
	if fi, err := os.Lstat(link); err != nil || fi.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link became %v, %v", fi.Mode(), err)
	}
	before, _ := os.ReadFile(path)
	for _, r := range []Rule{{Scope: "http://a", Type: "reject"}, {Scope: "a.test", Type: "signedBy"}, {Scope: "a.test", Type: "accept", Keys: []string{"k"}}} {
		if err := set(r); !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("a refused rule changed the file")
	}
}

func TestGoverning(t *testing.T) {
	p, err := Parse([]byte(`{"default":[{"type":"reject"}],"transports":{"docker":{"h.test:5000":[{"type":"reject"}],"h.test:5000/a":[{"type":"insecureAcceptAnything"}],"h.test:5000/a/d":[{"type":"reject"}],"*.w.test":[{"type":"reject"}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"h.test:5000/a/b:1": "h.test:5000/a", "h.test:5000/a/d:1": "h.test:5000/a/d", "h.test:5000/a/d@sha256:1": "h.test:5000/a/d", "h.test:5000/c": "h.test:5000", "x.w.test/y": "*.w.test", "none.test/a": DefaultScope, "h.test/a": DefaultScope,
	} {
		if got := Governing(p.Entries(&Places{}), name); len(got) != 1 || got[0].Scope != want {
			t.Errorf("%s: %+v, want %s", name, got, want)
		}
	}
}
