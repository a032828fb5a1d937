package signature

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Authority is a set of certificates that are trusted to name others.
type Authority struct {
	roots         *x509.CertPool
	intermediates []*x509.Certificate
}

// ReadAuthority reads certificates from PEM data; intermediates may be nil.
func ReadAuthority(roots, intermediates []byte) (Authority, error) {
	a := Authority{roots: x509.NewCertPool()}
	certs, err := parseCertificates(roots)
	if err != nil || len(certs) == 0 {
		return a, errdef.Newf(errdef.ErrInvalid, "loading CA certificates: %w", orNone(err))
	}
	for _, c := range certs {
		a.roots.AddCert(c)
	}
	if intermediates != nil {
		a.intermediates, err = parseCertificates(intermediates)
		if err != nil || len(a.intermediates) == 0 {
			return a, errdef.Newf(errdef.ErrInvalid, "loading intermediate CA certificates: %w", orNone(err))
		}
	}
	return a, nil
}

func orNone(err error) error {
	if err == nil {
		return errors.New("there are none")
	}
	return err
}

// maxCertificates bounds a chain.
const maxCertificates = 32

func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for len(bytes.TrimSpace(data)) > 0 {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil, errors.New("PEM decoding failed")
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("PEM type %q where a certificate is wanted", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		if certs = append(certs, cert); len(certs) > maxCertificates {
			return nil, fmt.Errorf("more than %d certificates", maxCertificates)
		}
	}
	return certs, nil
}

// certificates reads the signer's certificate and its chain.
func certificates(s Signature) (*x509.Certificate, []*x509.Certificate, error) {
	text, ok := s.Annotations[CertificateKey]
	if !ok {
		return nil, nil, fmt.Errorf("missing %s annotation", CertificateKey)
	}
	leaf, err := parseCertificates([]byte(text))
	if err != nil {
		return nil, nil, fmt.Errorf("parsing leaf certificate: %w", err)
	}
	if len(leaf) != 1 {
		return nil, nil, fmt.Errorf("parsing leaf certificate: there are %d certificates and not 1", len(leaf))
	}
	chain, err := parseCertificates([]byte(s.Annotations[ChainKey]))
	if err != nil {
		return nil, nil, fmt.Errorf("parsing certificate chain: %w", err)
	}
	return leaf[0], chain, nil
}

// verify checks the chain up to a root at the time.
func (a Authority) verify(cert *x509.Certificate, chain []*x509.Certificate, at time.Time) error {
	pool := x509.NewCertPool()
	for _, c := range append(chain, a.intermediates...) {
		pool.AddCert(c)
	}
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: a.roots, Intermediates: pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	})
	if err != nil {
		return fmt.Errorf("verifying leaf certificate failed: %w", err)
	}
	return nil
}

// Fulcio accepts certificates that a Fulcio gave to a user of an OpenID
// provider.
type Fulcio struct {
	Authority     Authority
	Issuer, Email string
}

// The extensions that hold the OpenID provider's URL, as plain text and, in
// later versions, as a UTF-8 string, and that of alternative names.
const (
	issuerOID   = "1.3.6.1.4.1.57264.1.1"
	issuerOIDv2 = "1.3.6.1.4.1.57264.1.8"
	altNamesOID = "2.5.29.17"
)

func (f *Fulcio) check(cert *x509.Certificate, chain []*x509.Certificate, at time.Time) error {
	if at.IsZero() {
		return errors.New("a certificate of Fulcio cannot be checked without Rekor's proof of when it was used")
	}
	// The names are critical where the subject is empty, as it is here, and
	// may hold a kind that the standard library does not read.
	c := *cert
	c.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(cert.UnhandledCriticalExtensions), func(o asn1.ObjectIdentifier) bool {
		return o.String() == altNamesOID
	})
	if err := f.Authority.verify(&c, chain, at); err != nil {
		return err
	}
	issuer, err := oidcIssuer(cert)
	if err != nil {
		return err
	}
	if issuer != f.Issuer {
		return fmt.Errorf("Unexpected Fulcio OIDC issuer %q", issuer)
	}
	return wantEmail(cert, f.Email)
}

// oidcIssuer reads the provider; two that differ are refused.
func oidcIssuer(cert *x509.Certificate) (string, error) {
	var found []string
	for _, e := range cert.Extensions {
		switch e.Id.String() {
		case issuerOID:
			found = append(found, string(e.Value))
		case issuerOIDv2:
			var s string
			rest, err := asn1.UnmarshalWithParams(e.Value, &s, "utf8")
			if err != nil || len(rest) > 0 {
				return "", errors.New("invalid ASN.1 in the certificate's OIDC issuer")
			}
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		return "", errors.New("Fulcio certificate is missing the issuer extension")
	}
	for _, s := range found {
		if s != found[0] {
			return "", fmt.Errorf("the certificate names two OIDC issuers, %q and %q", found[0], s)
		}
	}
	return found[0], nil
}

func wantEmail(cert *x509.Certificate, email string) error {
	if !slices.Contains(cert.EmailAddresses, email) {
		return fmt.Errorf("Required email %q not found (got %q)", email, cert.EmailAddresses)
	}
	return nil
}

// PKI accepts certificates of other authorities.
type PKI struct {
	Authority       Authority
	Email, Hostname string // "": not wanted
}

func (p *PKI) check(cert *x509.Certificate, chain []*x509.Certificate, _ time.Time) error {
	if err := p.Authority.verify(cert, chain, time.Time{}); err != nil {
		return err
	}
	if p.Email != "" {
		if err := wantEmail(cert, p.Email); err != nil {
			return err
		}
	}
	if p.Hostname != "" {
		if err := cert.VerifyHostname(p.Hostname); err != nil {
			return fmt.Errorf("Unexpected subject hostname: %w", err)
		}
	}
	return nil
}
