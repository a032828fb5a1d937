package trust

import (
	"encoding/json"
	"fmt"

	"github.com/podsuite/podsuite/shared/signature"
)

// sigstoreSigned wants a sigstore signature.
type sigstoreSigned struct {
	keys     keySource
	fulcio   *fulcio
	pki      *pki
	rekor    keySource
	identity identity
}

type fulcio struct {
	ca            keySource
	issuer, email string
}

type pki struct {
	roots, intermediates keySource
	email, hostname      string
}

func parseSigstoreSigned(data []byte) (requirement, error) {
	var typ string
	var keys, rekor keyFields
	var id, ful, pk json.RawMessage
	err := object(data, map[string]any{
		"type": &typ, "keyPath": &keys.path, "keyPaths": &keys.paths, "keyData": &keys.data, "keyDatas": &keys.datas,
		"fulcio": &ful, "pki": &pk, "signedIdentity": &id,
		"rekorPublicKeyPath": &rekor.path, "rekorPublicKeyPaths": &rekor.paths, "rekorPublicKeyData": &rekor.data, "rekorPublicKeyDatas": &rekor.datas,
	})
	if err != nil {
		return nil, err
	}
	r := &sigstoreSigned{}
	var given, logs int
	if r.keys, given, err = keys.source(); err != nil {
		return nil, err
	}
	if ful != nil {
		given++
		if r.fulcio, err = parseFulcio(ful); err != nil {
			return nil, err
		}
	}
	if pk != nil {
		given++
		if r.pki, err = parsePKI(pk); err != nil {
			return nil, err
		}
	}
	if r.rekor, logs, err = rekor.source(); err != nil {
		return nil, err
	}
	switch {
	case given != 1:
		return nil, fmt.Errorf("exactly one of keyPath, keyPaths, keyData, keyDatas, fulcio, and pki must be specified")
	case r.fulcio == nil && r.pki == nil && len(r.keys.paths)+len(r.keys.datas) == 0:
		return nil, fmt.Errorf("the list of keys must not be empty")
	case logs > 1:
		return nil, fmt.Errorf("at most one of rekorPublickeyPath, rekorPublicKeyPaths, rekorPublickeyData and rekorPublicKeyDatas can be used simultaneously")
	case logs == 1 && len(r.rekor.paths)+len(r.rekor.datas) == 0:
		return nil, fmt.Errorf("the list of Rekor public keys must not be empty")
	case logs == 0 && r.fulcio != nil:
		return nil, fmt.Errorf("At least one of rekorPublickeyPath, rekorPublicKeyPaths, rekorPublickeyData and rekorPublicKeyDatas must be specified if fulcio is used")
	case logs == 1 && r.pki != nil:
		return nil, fmt.Errorf("rekorPublickeyPath, rekorPublicKeyPaths, rekorPublickeyData and rekorPublicKeyDatas are not supported for pki")
	}
	r.identity, err = parseIdentity(id)
	return r, err
}

// oneOf reads a pair of members of which one must, or may, be there.
func oneOf(f keyFields, path, data string, needed bool) (keySource, error) {
	k, given, err := f.source()
	switch {
	case err != nil:
	case given == 0 && needed:
		err = fmt.Errorf("At least one of %s and %s must be specified", path, data)
	case given > 1:
		err = fmt.Errorf("%s and %s cannot be used simultaneously", path, data)
	}
	return k, err
}

func parseFulcio(data []byte) (*fulcio, error) {
	f := &fulcio{}
	var ca keyFields
	err := object(data, map[string]any{"caPath": &ca.path, "caData": &ca.data, "oidcIssuer": &f.issuer, "subjectEmail": &f.email})
	if err == nil {
		f.ca, err = oneOf(ca, "caPath", "caData", true)
	}
	switch {
	case err != nil:
		return nil, err
	case f.issuer == "":
		return nil, fmt.Errorf("oidcIssuer not specified")
	case f.email == "":
		return nil, fmt.Errorf("subjectEmail not specified")
	}
	return f, nil
}

func parsePKI(data []byte) (*pki, error) {
	p := &pki{}
	var roots, between keyFields
	err := object(data, map[string]any{
		"caRootsPath": &roots.path, "caRootsData": &roots.data,
		"caIntermediatesPath": &between.path, "caIntermediatesData": &between.data,
		"subjectEmail": &p.email, "subjectHostname": &p.hostname,
	})
	if err == nil {
		p.roots, err = oneOf(roots, "caRootsPath", "caRootsData", true)
	}
	if err == nil {
		p.intermediates, err = oneOf(between, "caIntermediatesPath", "caIntermediatesData", false)
	}
	if err == nil && p.email == "" && p.hostname == "" {
		err = fmt.Errorf("At least one of subjectEmail, subjectHostname must be specified")
	}
	return p, err
}

func (r *sigstoreSigned) accept(img Image) error {
	v, err := r.verifier()
	if err != nil {
		return err
	}
	sigs, err := img.Signatures()
	if err != nil {
		return err
	}
	var reasons []error
	for _, s := range sigs {
		if s.Kind != signature.Sigstore {
			continue
		}
		claim, err := v.Verify(s)
		if err == nil {
			err = checkClaim(img, r.identity, claim)
		}
		if err == nil {
			return nil
		}
		reasons = append(reasons, err)
	}
	return noneAccepted(reasons)
}

// verifier reads the keys and certificates.
func (r *sigstoreSigned) verifier() (*signature.Verifier, error) {
	v := &signature.Verifier{}
	datas, err := r.rekor.read()
	if err != nil {
		return nil, err
	}
	if v.Rekor, err = signature.ParsePublicKeys(datas); err != nil {
		return nil, fmt.Errorf("Rekor: %w", err)
	}
	switch {
	case r.fulcio != nil:
		a, err := authority(r.fulcio.ca, keySource{})
		v.Certificate = &signature.Fulcio{Authority: a, Issuer: r.fulcio.issuer, Email: r.fulcio.email}
		return v, err
	case r.pki != nil:
		a, err := authority(r.pki.roots, r.pki.intermediates)
		v.Certificate = &signature.PKI{Authority: a, Email: r.pki.email, Hostname: r.pki.hostname}
		return v, err
	}
	if datas, err = r.keys.read(); err != nil {
		return nil, err
	}
	v.Keys, err = signature.ParsePublicKeys(datas)
	return v, err
}

func authority(roots, between keySource) (signature.Authority, error) {
	var data [2][]byte
	for i, k := range []keySource{roots, between} {
		items, err := k.read()
		if err != nil {
			return signature.Authority{}, err
		}
		if len(items) > 0 {
			data[i] = items[0]
		}
	}
	return signature.ReadAuthority(data[0], data[1])
}
