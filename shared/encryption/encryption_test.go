package encryption

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

// foreign is a layer that another tool encrypted, with what decrypts it.
type foreign struct {
	Name        string            `json:"name"`
	Keys        []string          `json:"keys"`
	Annotations map[string]string `json:"annotations"`
	Blob        []byte            `json:"blob"`
}

// plainDigest is that of the layer which the foreign ones were.
const plainDigest = "sha256:b69ba1b3004f21af0d14fc285f2f27abf0c9d298458d5bc3a7560059b78c3f63"

func foreigners(t testing.TB) []foreign {
	t.Helper()
	data, err := os.ReadFile("testdata/layers.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []foreign
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func keys(t testing.TB, names ...string) *Keys {
	t.Helper()
	var specs []string
	for _, n := range names {
		specs = append(specs, filepath.Join("testdata", n))
	}
	k, err := ParseKeys(specs)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// decrypt opens the layer and reads it to its end.
func decrypt(k *Keys, notes map[string]string, blob []byte) ([]byte, error) {
	s, err := k.Open(notes)
	if err != nil {
		return nil, err
	}
	r, err := s.Reader(iotest.OneByteReader(bytes.NewReader(blob)))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	if err == nil && digest.FromBytes(data) != s.Digest {
		err = errors.New("the content does not have the digest that the secret says")
	}
	return data, err
}

func TestLayersOfOtherToolsAreRead(t *testing.T) {
	for _, f := range foreigners(t) {
		data, err := decrypt(keys(t, f.Keys...), f.Annotations, f.Blob)
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		} else if got := digest.FromBytes(data); got != plainDigest {
			t.Errorf("%s: decrypted to %s", f.Name, got)
		}
	}
}

func TestEveryRecipientReadsWhatWasSealed(t *testing.T) {
	to, err := ParseRecipients(context.Background(), []string{"jwe:testdata/rsa.pub", "jwe:testdata/ec.pub", "pkcs7:testdata/p7.crt"})
	if err != nil {
		t.Fatal(err)
	}
	to.pgp = keys(t, "pgp.key").pgp
	plain := bytes.Repeat([]byte("a layer "), 10000)
	s, err := to.Seal(iotest.HalfReader(bytes.NewReader(plain)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Annotations(); err == nil {
		t.Error("annotations of a layer that was not read")
	}
	blob, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := s.Annotations()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(blob, []byte("layer")) {
		t.Error("the encrypted layer holds plain text")
	}
	// Other tools read this way of wrapping only.
	wrapped, _ := base64.StdEncoding.DecodeString(notes[keysPrefix+schemeJWE])
	var sealed struct {
		Protected  string `json:"protected"`
		Recipients []struct {
			Header struct{ Alg string }
		}
	}
	if err := json.Unmarshal(wrapped, &sealed); err != nil {
		t.Fatal(err)
	}
	head, _ := base64.RawURLEncoding.DecodeString(sealed.Protected)
	if r := sealed.Recipients; len(r) != 2 || r[0].Header.Alg != "RSA-OAEP" || r[1].Header.Alg != "ECDH-ES+A256KW" || !bytes.Contains(head, []byte(`"A256GCM"`)) {
		t.Errorf("wrapped as %s, %s", head, wrapped)
	}
	for _, names := range [][]string{{"rsa.key"}, {"other.key", "ec.key"}, {"p7.key", "p7.crt"}, {"pgp.key"}} {
		data, err := decrypt(keys(t, names...), notes, blob)
		if err != nil || !bytes.Equal(data, plain) {
			t.Errorf("%v: %d bytes, %v", names, len(data), err)
		}
	}
	for _, names := range [][]string{{"other.key"}, {"p7.key"}, {"p7.crt"}, {"other.key", "p7.crt"}} {
		if _, err := decrypt(keys(t, names...), notes, blob); !errors.Is(err, errdef.ErrDenied) {
			t.Errorf("%v: %v", names, err)
		}
	}
	if _, err := decrypt(nil, notes, blob); !errors.Is(err, errdef.ErrDenied) {
		t.Errorf("no keys: %v", err)
	}
}

func TestChangedLayersAreNoticed(t *testing.T) {
	f := foreigners(t)[0]
	k := keys(t, f.Keys...)
	for name, blob := range map[string][]byte{
		"a bit":   append([]byte{f.Blob[0] ^ 1}, f.Blob[1:]...),
		"shorter": f.Blob[:len(f.Blob)-1],
		"longer":  append(bytes.Clone(f.Blob), 0),
		"nothing": nil,
	} {
		if _, err := decrypt(k, f.Annotations, blob); err == nil || !strings.Contains(err.Error(), "HMAC") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadAnnotationsAreRefused(t *testing.T) {
	f := foreigners(t)[0]
	k := keys(t, f.Keys...)
	encode := base64.StdEncoding.EncodeToString
	for name, c := range map[string]struct{ key, value, want string }{
		"cipher":      {publicAnnotation, encode([]byte(`{"cipher":"ROT13","hmac":"AAAA"}`)), `"ROT13"`},
		"hmac":        {publicAnnotation, encode([]byte(`{"cipher":"` + cipherName + `","hmac":"AAAA"}`)), "length"},
		"no base64":   {publicAnnotation, "???", "base64"},
		"none":        {publicAnnotation, "", "JSON"},
		"wrapped":     {keysPrefix + schemeJWE, "???", "base64"},
		"unknown":     {keysPrefix + schemeJWE, "", "encrypted for none of"},
		"a lot of it": {keysPrefix + schemeJWE, strings.Repeat("AAAA,", maxWrapped+1), "more than"},
	} {
		notes := maps.Clone(f.Annotations)
		notes[c.key] = c.value
		if _, err := k.Open(notes); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPasswords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.WriteString("secret")
	w.Close()
	fd, err := syscall.Dup(int(r.Fd())) // which gets closed when it was read
	if err != nil {
		t.Fatal(err)
	}
	for how, want := range map[string]string{
		"pass=secret": "", "secret": "", "file=" + file: "", "fd=" + strconv.Itoa(fd): "",
		"": "missing password", "pass=": "wrong password", "pass=hunter2": "wrong password",
		"fd=x": "not a file descriptor", "file=nosuch": "no such file",
	} {
		k, err := ParseKeys([]string{"testdata/rsa-enc.key:" + how})
		switch {
		case want == "" && (err != nil || len(k.private) != 1):
			t.Errorf("%q: %v", how, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v", how, err)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	for spec, want := range map[string]string{
		"k": "k", "k:file=f": "k:file=f", "k:fd=3": "k:fd=3",
		"k:pass=secret": "k:pass=(hidden)", "k:secret": "k:pass=(hidden)", "k:x=secret": "k:pass=(hidden)",
	} {
		if got := WithoutPassword(spec); got != want {
			t.Errorf("%s: %s", spec, got)
		}
	}
}

func TestUnusableKeysAreRefused(t *testing.T) {
	for spec, want := range map[string]string{
		"testdata/rsa.pub": "no private key", "testdata/nosuch": "no such file", "provider:x": "provider is not supported",
		"testdata/layers.json": "no private key",
	} {
		if _, err := ParseKeys([]string{spec}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("decrypt with %q: %v", spec, err)
		}
	}
	for spec, want := range map[string]string{
		"rsa.pub": "want PROTOCOL:KEY", "rot:x": "unknown", "pkcs11:x": "pkcs11 is not supported", "provider:x": "provider is not supported",
		"jwe:testdata/rsa.key": "not a public key", "jwe:testdata/p7.crt": "not a public key", "pkcs7:testdata/rsa.pub": "not an X.509 certificate",
	} {
		if _, err := ParseRecipients(context.Background(), []string{spec}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("encrypt for %q: %v", spec, err)
		}
	}
	if k, err := ParseKeys(nil); k != nil || err != nil {
		t.Errorf("no keys: %v, %v", k, err)
	}
}
