package signature

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// bundle is Rekor's promise that an entry is in its log.
type bundle struct {
	SignedEntryTimestamp []byte
	Payload              json.RawMessage
}

// logEntry is what the promise is about. Its members stand in the order in
// which they are signed.
type logEntry struct {
	Body           string `json:"body"`
	IntegratedTime int64  `json:"integratedTime"`
	LogID          string `json:"logID"`
	LogIndex       int64  `json:"logIndex"`
}

// hashedRekord is the kind of entry that image signatures are.
type hashedRekord struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Data struct {
			Hash struct {
				Algorithm string `json:"algorithm"`
				Value     string `json:"value"`
			} `json:"hash"`
		} `json:"data"`
		Signature struct {
			Content   []byte `json:"content"`
			PublicKey struct {
				Content []byte `json:"content"`
			} `json:"publicKey"`
		} `json:"signature"`
	} `json:"spec"`
}

// logged checks that the signature by the key, or certificate, in text was
// entered into the log, and tells when.
func (v *Verifier) logged(s Signature, sig, text []byte, key crypto.PublicKey) (time.Time, error) {
	raw, ok := s.Annotations[BundleKey]
	if !ok {
		return time.Time{}, fmt.Errorf("missing %s annotation", BundleKey)
	}
	entry, err := v.openBundle([]byte(raw))
	if err != nil {
		return time.Time{}, fmt.Errorf("Rekor's proof of entry: %w", err)
	}
	if err := entry.about(sig, s.Payload, text, key); err != nil {
		return time.Time{}, fmt.Errorf("Rekor's entry: %w", err)
	}
	return time.Unix(entry.IntegratedTime, 0), nil
}

// openBundle verifies the promise.
func (v *Verifier) openBundle(raw []byte) (logEntry, error) {
	var b bundle
	var e logEntry
	if err := strict(raw, &b); err != nil {
		return e, err
	}
	if err := strict(b.Payload, &e); err != nil {
		return e, err
	}
	signed, err := json.Marshal(e)
	if err != nil {
		return e, err
	}
	for _, key := range v.Rekor {
		if verifyRaw(key, signed, b.SignedEntryTimestamp) == nil {
			return e, nil
		}
	}
	return e, errors.New("cryptographic signature verification failed")
}

// about tells whether the entry is one for the signature.
func (e logEntry) about(sig, payload, text []byte, key crypto.PublicKey) error {
	body, err := base64.StdEncoding.DecodeString(e.Body)
	if err != nil {
		return err
	}
	var r hashedRekord
	if err := strict(body, &r); err != nil {
		return err
	}
	sum := sha256.Sum256(payload)
	hash := r.Spec.Data.Hash
	switch {
	case r.Kind != "hashedrekord" || r.APIVersion != "0.0.1":
		return fmt.Errorf("it is of the kind %q, version %q, and not a hashedrekord 0.0.1", r.Kind, r.APIVersion)
	case !bytes.Equal(r.Spec.Signature.Content, sig):
		return errors.New("it is about another signature")
	case hash.Algorithm != "sha256" || hash.Value != hex.EncodeToString(sum[:]):
		return errors.New("it is about other data")
	}
	return sameKey(r.Spec.Signature.PublicKey.Content, text, key)
}

// sameKey compares the logged key or certificate with the signer's.
func sameKey(logged, text []byte, key crypto.PublicKey) error {
	a, _ := pem.Decode(logged)
	b, _ := pem.Decode(text)
	if a == nil || b == nil {
		return errors.New("its key is not PEM")
	}
	if a.Type == b.Type && bytes.Equal(a.Bytes, b.Bytes) {
		return nil
	}
	if a.Type == "PUBLIC KEY" && b.Type == "PUBLIC KEY" {
		other, err := x509.ParsePKIXPublicKey(a.Bytes)
		if k, ok := key.(interface{ Equal(crypto.PublicKey) bool }); err == nil && ok && k.Equal(other) {
			return nil
		}
	}
	return errors.New("it is about another key")
}

// strict decodes an object without members that are not known.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more after the object")
	}
	return nil
}
