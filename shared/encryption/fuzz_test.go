package encryption

import (
	"encoding/json"
	"testing"
)

// FuzzOpen feeds annotations to keys of every kind: nothing in them may do more
// than fail.
func FuzzOpen(f *testing.F) {
	k := &Keys{}
	for _, l := range foreigners(f) {
		one := keys(f, l.Keys...)
		k.private, k.certificates, k.pgp = append(k.private, one.private...), append(k.certificates, one.certificates...), append(k.pgp, one.pgp...)
		for _, scheme := range []string{schemeJWE, schemePKCS7, schemePGP} {
			if v := l.Annotations[keysPrefix+scheme]; v != "" {
				f.Add(scheme, v, l.Annotations[publicAnnotation])
			}
		}
	}
	f.Fuzz(func(t *testing.T, scheme, wrapped, public string) {
		s, err := k.Open(map[string]string{keysPrefix + scheme: wrapped, publicAnnotation: public})
		if (s == nil) != (err != nil) {
			t.Fatalf("%v, %v", s, err)
		}
	})
}

// FuzzUnwrapped feeds what a wrapped key may hold: a recipient trusts the sender
// no further than to name a key.
func FuzzUnwrapped(f *testing.F) {
	f.Add([]byte(`{"symkey":"AAAA","digest":"sha256:00","cipheroptions":{"nonce":"AAAA"}}`), []byte(`{"cipher":"AES_256_CTR_HMAC_SHA256","hmac":"","cipheroptions":{}}`))
	f.Fuzz(func(t *testing.T, in, out []byte) {
		var a private
		var b public
		if json.Unmarshal(in, &a) != nil || json.Unmarshal(out, &b) != nil {
			return
		}
		if s, err := secret(a, b); err == nil {
			if _, err := s.Reader(nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzKeys reads any file as a key.
func FuzzKeys(f *testing.F) {
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"), []byte("x"))
	f.Fuzz(func(_ *testing.T, data, pass []byte) {
		parsePublic(data)
		parseCertificate(data)
		_, _ = parsePrivate(data, pass)
		_, _ = parsePGP(data, pass)
	})
}
