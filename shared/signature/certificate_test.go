package signature

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// issued makes a certificate; parent nil makes it a root.
func issued(t *testing.T, key *ecdsa.PrivateKey, parent *x509.Certificate, by *ecdsa.PrivateKey, change func(*x509.Certificate)) (*x509.Certificate, []byte) {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, BasicConstraintsValid: true,
	}
	if parent == nil {
		parent, by = c, key
		c.IsCA, c.KeyUsage, c.ExtKeyUsage, c.Subject = true, x509.KeyUsageCertSign, nil, pkix.Name{CommonName: "root"}
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// logIn gives a signature Rekor's proof of entry.
func logIn(t *testing.T, s *Signature, rekor *ecdsa.PrivateKey, keyPEM []byte, at time.Time) {
	t.Helper()
	var r hashedRekord
	r.APIVersion, r.Kind = "0.0.1", "hashedrekord"
	sum := sha256.Sum256(s.Payload)
	r.Spec.Data.Hash.Algorithm, r.Spec.Data.Hash.Value = "sha256", hex.EncodeToString(sum[:])
	var err error
	if r.Spec.Signature.Content, err = base64.StdEncoding.DecodeString(s.Annotations[SignatureKey]); err != nil {
		t.Fatal(err)
	}
	r.Spec.Signature.PublicKey.Content = keyPEM
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := json.Marshal(logEntry{Body: base64.StdEncoding.EncodeToString(body), IntegratedTime: at.Unix(), LogID: "ab", LogIndex: 7})
	if err != nil {
		t.Fatal(err)
	}
	set, err := signRaw(rekor, entry)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(bundle{SignedEntryTimestamp: set, Payload: entry})
	if err != nil {
		t.Fatal(err)
	}
	s.Annotations[BundleKey] = string(b)
}

// byCertificate signs the claim with the key and attaches the certificate.
func byCertificate(t *testing.T, key *ecdsa.PrivateKey, cert []byte) Signature {
	t.Helper()
	s, err := (&keySigner{key}).Sign(context.Background(), claim())
	if err != nil {
		t.Fatal(err)
	}
	s.Annotations[CertificateKey] = string(cert)
	return s
}

func TestFulcio(t *testing.T) {
	rootKey, rekor, key := newKey(t), newKey(t), newKey(t)
	root, rootPEM := issued(t, rootKey, nil, nil, nil)
	const issuer, email = "https://id.test", "me@example.com"
	v2, err := asn1.MarshalWithParams(issuer, "utf8")
	if err != nil {
		t.Fatal(err)
	}
	// A certificate of ten minutes that are over now.
	then := time.Now().Add(-30 * time.Minute)
	good := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter, c.EmailAddresses = then.Add(-5*time.Minute), then.Add(5*time.Minute), []string{email}
		c.ExtraExtensions = []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuer)},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: v2},
		}
	}
	authority, err := ReadAuthority(rootPEM, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &Fulcio{Authority: authority, Issuer: issuer, Email: email}
	v := &Verifier{Certificate: f, Rekor: []crypto.PublicKey{newKey(t).Public(), rekor.Public()}}
	_, cert := issued(t, key, root, rootKey, good)
	s := byCertificate(t, key, cert)
	logIn(t, &s, rekor, cert, then)
	if c, err := v.Verify(s); err != nil || c != claim() {
		t.Fatalf("%v: %v", c, err)
	}

	wrong := func(name, want string, change func(*x509.Certificate), at time.Time, log *ecdsa.PrivateKey, f *Fulcio) {
		t.Helper()
		_, cert := issued(t, key, root, rootKey, func(c *x509.Certificate) {
			good(c)
			if change != nil {
				change(c)
			}
		})
		s := byCertificate(t, key, cert)
		logIn(t, &s, log, cert, at)
		_, err := (&Verifier{Certificate: f, Rekor: v.Rekor}).Verify(s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wrong("after its end", "expired", nil, time.Now(), rekor, f)
	wrong("another log", "verification failed", nil, then, newKey(t), f)
	wrong("another issuer", "OIDC issuer", nil, then, rekor, &Fulcio{authority, "https://else.test", email})
	wrong("another user", "not found", nil, then, rekor, &Fulcio{authority, issuer, "you@example.com"})
	wrong("no issuer", "missing the issuer", func(c *x509.Certificate) { c.ExtraExtensions = nil }, then, rekor, f)
	wrong("two issuers", "two OIDC issuers", func(c *x509.Certificate) { c.ExtraExtensions[0].Value = []byte("https://x.test") }, then, rekor, f)
	wrong("for servers", "verifying leaf", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, then, rekor, f)
	elsewhere, otherPEM := issued(t, newKey(t), nil, nil, nil)
	if elsewhere == nil {
		t.Fatal("no certificate")
	}
	other, err := ReadAuthority(otherPEM, nil)
	if err != nil {
		t.Fatal(err)
	}
	wrong("another authority", "verifying leaf", nil, then, rekor, &Fulcio{other, issuer, email})

	// An entry of another signature.
	s2 := byCertificate(t, key, cert)
	s2.Annotations[BundleKey] = s.Annotations[BundleKey]
	if _, err := v.Verify(s2); err == nil || !strings.Contains(err.Error(), "another signature") {
		t.Errorf("another's entry: %v", err)
	}
	if _, err := (&Verifier{Certificate: f}).Verify(s); err == nil || !strings.Contains(err.Error(), "Rekor's proof") {
		t.Errorf("without Rekor: %v", err)
	}
}

func TestPKI(t *testing.T) {
	rootKey, betweenKey, key := newKey(t), newKey(t), newKey(t)
	root, rootPEM := issued(t, rootKey, nil, nil, nil)
	between, betweenPEM := issued(t, betweenKey, root, rootKey, func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.Subject = true, x509.KeyUsageCertSign, pkix.Name{CommonName: "between"}
	})
	_, cert := issued(t, key, between, betweenKey, func(c *x509.Certificate) {
		c.EmailAddresses, c.DNSNames = []string{"me@example.com"}, []string{"sign.example.com"}
	})
	check := func(s Signature, intermediates []byte, email, host string) error {
		a, err := ReadAuthority(rootPEM, intermediates)
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&Verifier{Certificate: &PKI{a, email, host}}).Verify(s)
		return err
	}
	s := byCertificate(t, key, cert)
	if err := check(s, betweenPEM, "me@example.com", "sign.example.com"); err != nil {
		t.Error(err)
	}
	if err := check(s, nil, "me@example.com", ""); err == nil {
		t.Error("accepted without the certificate between")
	}
	if err := check(s, betweenPEM, "you@example.com", ""); err == nil {
		t.Error("another's email was accepted")
	}
	if err := check(s, betweenPEM, "", "else.example.com"); err == nil {
		t.Error("another host was accepted")
	}
	s.Annotations[ChainKey] = string(betweenPEM)
	if err := check(s, nil, "me@example.com", ""); err != nil {
		t.Errorf("with the chain in the signature: %v", err)
	}
	if err := check(byCertificate(t, newKey(t), cert), betweenPEM, "me@example.com", ""); err == nil {
		t.Error("a signature by another key was accepted")
	}
}

// TestLoggedKey is a key's signature with proof of entry.
func TestLoggedKey(t *testing.T) {
	key, rekor := newKey(t), newKey(t)
	s, err := (&keySigner{key}).Sign(context.Background(), claim())
	if err != nil {
		t.Fatal(err)
	}
	text, err := publicPEM(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	logIn(t, &s, rekor, text, time.Now())
	v := &Verifier{Keys: []crypto.PublicKey{newKey(t).Public(), key.Public()}, Rekor: []crypto.PublicKey{rekor.Public()}}
	if _, err := v.Verify(s); err != nil {
		t.Error(err)
	}
	other, err := publicPEM(newKey(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	logIn(t, &s, rekor, other, time.Now())
	if _, err := v.Verify(s); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("the entry of another key: %v", err)
	}
}
