package signature

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

func claim() Claim {
	return Claim{Digest: digest.FromString("manifest"), Reference: "q.test/app:1"}
}

// signer is a new OpenPGP key pair.
func signer(t *testing.T, config *packet.Config) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity("T", "", "t@example.com", config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func public(t *testing.T, e *openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := e.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// message signs the text as gpg --sign does.
func message(t *testing.T, e *openpgp.Entity, text []byte, config *packet.Config) Signature {
	t.Helper()
	var b bytes.Buffer
	w, err := openpgp.Sign(&b, e, nil, config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return Signature{Kind: Simple, Message: b.Bytes()}
}

func payloadOf(t *testing.T, k Kind) []byte {
	t.Helper()
	text, err := newPayload(k, claim(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSimple(t *testing.T) {
	mine, other := signer(t, nil), signer(t, nil)
	var armoured bytes.Buffer
	w, err := armor.Encode(&armoured, openpgp.PublicKeyType, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := mine.Serialize(w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for name, keys := range map[string][][]byte{
		"binary": {public(t, mine)}, "armoured": {armoured.Bytes()}, "two in a file": {append(public(t, other), public(t, mine)...)},
		"two armoured": {append(armoured.Bytes(), armoured.Bytes()...)}, "two files": {public(t, other), armoured.Bytes()},
	} {
		ring, err := ReadKeyring(keys...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, by, err := ring.Verify(message(t, mine, payloadOf(t, Simple), nil))
		if err != nil || got != claim() || by != fingerprint(mine.PrimaryKey) {
			t.Errorf("%s: %v, by %s: %v", name, got, by, err)
		}
	}
	ring, err := ReadKeyring(public(t, other))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ring.Verify(message(t, mine, payloadOf(t, Simple), nil)); !errors.Is(err, errdef.ErrDenied) {
		t.Errorf("another's key: %v", err)
	}
	if _, err := ReadKeyring([]byte("nothing"), []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----")); err == nil || !strings.Contains(err.Error(), "No public keys") {
		t.Errorf("no key: %v", err)
	}
}

// TestTampered changes every byte of a message: none of the results may be
// accepted with another claim.
func TestTampered(t *testing.T) {
	mine := signer(t, nil)
	ring, err := ReadKeyring(public(t, mine))
	if err != nil {
		t.Fatal(err)
	}
	good := message(t, mine, payloadOf(t, Simple), nil)
	if _, _, err := ring.Verify(good); err != nil {
		t.Fatal(err)
	}
	for i := range good.Message {
		bad := Signature{Kind: Simple, Message: bytes.Clone(good.Message)}
		bad.Message[i] ^= 0x01
		if got, _, err := ring.Verify(bad); err == nil && got != claim() {
			t.Errorf("byte %d changed, and the signature says %v", i, got)
		}
		if _, _, err := ring.Verify(Signature{Kind: Simple, Message: good.Message[:i]}); err == nil {
			t.Errorf("cut at %d and still good", i)
		}
	}
}

func TestUnsignedAndExpired(t *testing.T) {
	mine := signer(t, nil)
	ring, err := ReadKeyring(public(t, mine))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := packet.SerializeLiteral(nopCloser{&b}, true, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(payloadOf(t, Simple)) //nolint:errcheck // a buffer
	w.Close()
	if _, _, err := ring.Verify(Signature{Kind: Simple, Message: b.Bytes()}); err == nil || !strings.Contains(err.Error(), "not signed") {
		t.Errorf("an unsigned message: %v", err)
	}
	long := time.Now().Add(-48 * time.Hour)
	old := &packet.Config{KeyLifetimeSecs: 3600, Time: func() time.Time { return long }}
	expired := signer(t, old)
	if ring, err = ReadKeyring(public(t, expired)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ring.Verify(message(t, expired, payloadOf(t, Simple), old)); err == nil {
		t.Error("a key that has expired was accepted")
	}
}

type nopCloser struct{ *bytes.Buffer }

func (nopCloser) Close() error { return nil }

// TestClaims are documents that are well signed but not to be believed.
func TestClaims(t *testing.T) {
	good := string(payloadOf(t, Simple))
	if c, err := parseClaim(Simple, []byte(good)); err != nil || c != claim() {
		t.Fatalf("%v, %v", c, err)
	}
	for name, change := range map[string][2]string{
		"another type":       {simpleType, sigstoreType},
		"unknown key":        {`"critical":{`, `"critical":{"only-on":"Sunday",`},
		"unknown key within": {`"identity":{`, `"identity":{"x":1,`},
		"unknown at the top": {`{"critical"`, `{"x":1,"critical"`},
		"twice":              {`"identity":{`, `"identity":{"docker-reference":"evil.test/x:1",`},
		"no digest":          {"sha256:", "sha257:"},
		"a short digest":     {`"sha256:`, `"sha256:0`},
		"no reference":       {`"docker-reference":"q.test/app:1"`, ``},
		"a wrong creator":    {`"creator":"`, `"creator":1,"x":"`},
		"a wrong timestamp":  {`"timestamp":1`, `"timestamp":1.5`},
		"more after it":      {`}}`, `}}{}`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if c, err := parseClaim(Simple, []byte(bad)); err == nil {
			t.Errorf("%s: %v", name, c)
		}
	}
	withoutOptional := strings.Replace(string(payloadOf(t, Sigstore)), `"optional":{`, `"optional":null,"x":{`, 1)
	withoutOptional = withoutOptional[:strings.Index(withoutOptional, `,"x"`)] + "}"
	if _, err := parseClaim(Sigstore, []byte(withoutOptional)); err != nil {
		t.Errorf("cosign's empty optional part: %v", err)
	}
}

func TestKeyAndStoredForm(t *testing.T) {
	private, pub, err := GenerateKey([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := KeySigner(private, []byte("wrong")); err == nil || !strings.Contains(err.Error(), "decryption failed") {
		t.Errorf("wrong passphrase: %v", err)
	}
	s, err := KeySigner(private, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign(context.Background(), claim())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParsePublicKeys([][]byte{pub})
	if err != nil {
		t.Fatal(err)
	}
	blob, err := sig.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if sig, err = Parse(blob); err != nil {
		t.Fatal(err)
	}
	v := &Verifier{Keys: keys}
	if c, err := v.Verify(sig); err != nil || c != claim() {
		t.Errorf("%v: %v", c, err)
	}
	_, pub2, err := GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	others, err := ParsePublicKeys([][]byte{pub2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Verifier{Keys: others}).Verify(sig); !errors.Is(err, errdef.ErrDenied) {
		t.Errorf("another's key: %v", err)
	}
	if _, err := (&Verifier{Keys: append(others, keys...)}).Verify(sig); err != nil {
		t.Errorf("one of two keys: %v", err)
	}
	if _, err := (&Verifier{Keys: keys, Rekor: []crypto.PublicKey{keys[0]}}).Verify(sig); err == nil || !strings.Contains(err.Error(), "missing "+BundleKey) {
		t.Errorf("no proof of entry: %v", err)
	}
	bad := sig
	bad.Payload = bytes.Replace(sig.Payload, []byte("app:1"), []byte("app:2"), 1)
	if _, err := v.Verify(bad); err == nil {
		t.Error("a changed payload was accepted")
	}
	bad = sig
	bad.MIMEType = "text/plain"
	if _, err := v.Verify(bad); err == nil {
		t.Error("another MIME type was accepted")
	}
	bad.MIMEType, bad.Annotations = MIMEType, map[string]string{SignatureKey: base64.StdEncoding.EncodeToString([]byte("x"))}
	if _, err := v.Verify(bad); err == nil {
		t.Error("nonsense was accepted")
	}
}

func TestParse(t *testing.T) {
	for blob, want := range map[string]string{
		"": "empty", "garbage": "neither", "\x00bogus\nx": `unknown format "bogus"`, "\x00sigstore-json\n{": "parsing sigstore signature",
	} {
		if _, err := Parse([]byte(blob)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", blob, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x00sigstore-json\n{\"mimeType\":\"x\",\"payload\":\"eA==\",\"annotations\":{}}"))
	f.Add([]byte{0xa3, 0x01})
	ring := &Keyring{}
	f.Fuzz(func(t *testing.T, blob []byte) {
		s, err := Parse(blob)
		if err != nil {
			return
		}
		if _, _, err := ring.Verify(s); err == nil {
			t.Error("accepted without a key")
		}
		if _, err := (&Verifier{}).Verify(s); err == nil {
			t.Error("accepted without a key")
		}
	})
}
