package trust

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

func policy(t *testing.T, text string) (*Policy, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.json")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return Load(nil, path)
}

func TestCheck(t *testing.T) {
	p, err := policy(t, `{"default":[{"type":"reject"}],"transports":{"docker":{
		"ok.test":[{"type":"insecureAcceptAnything"}],
		"ok.test/bad":[{"type":"reject"}],
		"ok.test/bad/not":[{"type":"insecureAcceptAnything"}],
		"*.wild.test":[{"type":"insecureAcceptAnything"}],
		"signed.test":[{"type":"signedBy","keyType":"GPGKeys"}]},
		"dir":{"":[{"type":"insecureAcceptAnything"}]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for image, ok := range map[string]bool{
		"docker://ok.test/x": true, "docker://ok.test/bad/x": false, "docker://ok.test/bad": false, "docker://ok.test/bad/not:1": true,
		"docker://a.b.wild.test/x": true, "docker://wild.test/x": false, "docker://signed.test/x": false, "docker://else.test/x": false,
		"dir:/x": true, "oci:/x": false,
	} {
		l, err := ref.ParseTransport(image)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Check(l); (err == nil) != ok || err != nil && !errors.Is(err, errdef.ErrDenied) {
			t.Errorf("%s: %v", image, err)
		}
	}
}

func TestInvalid(t *testing.T) {
	for text, want := range map[string]string{
		`{"default":[]}`:                    "must not be empty",
		`{}`:                                "Default policy is missing",
		`x`:                                 "invalid character",
		`{"default":[{"type":"reject"}]} x`: "there is more",
	} {
		if _, err := policy(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
