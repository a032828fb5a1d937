package signature

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Limits of what an image may have; beyond them somebody plays games.
const (
	MaxSize  = 4 << 20 // bytes of one signature
	MaxCount = 128     // signatures of one manifest
)

// Kind of a signature.
type Kind int

// The kinds of signatures.
const (
	Simple   Kind = iota // an OpenPGP message
	Sigstore             // a payload with annotations
)

// String is what the kind is called in messages.
func (k Kind) String() string {
	if k == Sigstore {
		return "a sigstore signature"
	}
	return "simple signing"
}

// MIMEType is that of the payload of a sigstore signature.
const MIMEType = "application/vnd.dev.cosign.simplesigning.v1+json"

// The annotations of a sigstore signature.
const (
	SignatureKey   = "dev.cosignproject.cosign/signature"
	CertificateKey = "dev.sigstore.cosign/certificate"
	ChainKey       = "dev.sigstore.cosign/chain"
	BundleKey      = "dev.sigstore.cosign/bundle"
)

// Signature is one signature of a manifest, not verified.
type Signature struct {
	Kind        Kind
	Message     []byte            // Simple: the OpenPGP message
	MIMEType    string            // Sigstore: what Payload is
	Payload     []byte            // Sigstore
	Annotations map[string]string // Sigstore
}

// sigstoreHead begins a stored sigstore signature; an OpenPGP message never
// begins with a zero byte.
const sigstoreHead = "\x00sigstore-json\n"

type storedSigstore struct {
	MIMEType    string            `json:"mimeType"`
	Payload     []byte            `json:"payload"`
	Annotations map[string]string `json:"annotations"`
}

// Parse reads a signature as it lies in a directory, a lookaside or a store.
func Parse(blob []byte) (Signature, error) {
	if len(blob) == 0 {
		return Signature{}, errdef.Newf(errdef.ErrInvalid, "the signature is empty")
	}
	if blob[0] != 0 {
		if blob[0] < 0x80 {
			return Signature{}, errdef.Newf(errdef.ErrInvalid, "the signature is neither an OpenPGP message nor one of sigstore")
		}
		return Signature{Kind: Simple, Message: blob}, nil
	}
	text, ok := bytes.CutPrefix(blob, []byte(sigstoreHead))
	if !ok {
		name, _, _ := bytes.Cut(blob[1:min(len(blob), 60)], []byte("\n"))
		return Signature{}, errdef.Newf(errdef.ErrUnsupported, "the signature has the unknown format %q", name)
	}
	var s storedSigstore
	if err := json.Unmarshal(text, &s); err != nil {
		return Signature{}, errdef.Newf(errdef.ErrInvalid, "parsing sigstore signature: %w", err)
	}
	return Signature{Kind: Sigstore, MIMEType: s.MIMEType, Payload: s.Payload, Annotations: s.Annotations}, nil
}

// Bytes is what Parse reads.
func (s Signature) Bytes() ([]byte, error) {
	if s.Kind == Simple {
		return s.Message, nil
	}
	text, err := json.Marshal(storedSigstore{s.MIMEType, s.Payload, s.Annotations})
	return append([]byte(sigstoreHead), text...), err
}

// Claim is what a signature says.
type Claim struct {
	Digest    digest.Digest // of the manifest
	Reference string        // the name that the signer gives the image
}

// The values of critical.type.
const (
	simpleType   = "atomic container signature"
	sigstoreType = "cosign container image signature"
)

// creator names this program in the signatures it makes.
const creator = "podsuite 1"

// payload is the document that is signed. Its members stand in the order of
// the alphabet, as others write them.
type payload struct {
	Critical struct {
		Identity struct {
			Reference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]any `json:"optional"`
}

// newPayload writes the document for a claim.
func newPayload(kind Kind, c Claim, now time.Time) ([]byte, error) {
	var p payload
	p.Critical.Identity.Reference, p.Critical.Image.Digest = c.Reference, c.Digest.String()
	p.Critical.Type = simpleType
	if kind == Sigstore {
		p.Critical.Type = sigstoreType
	}
	p.Optional = map[string]any{"creator": creator, "timestamp": now.Unix()}
	return json.Marshal(p)
}

// parseClaim reads a document whose signature was verified. Unknown members of
// the critical part are refused: they may restrict what it says.
func parseClaim(kind Kind, data []byte) (Claim, error) {
	c, err := readClaim(kind, data)
	if err != nil {
		return c, errdef.Newf(errdef.ErrInvalid, "parsing signature: %w", err)
	}
	return c, nil
}

func readClaim(kind Kind, data []byte) (Claim, error) {
	var top, critical, identity, image map[string]json.RawMessage
	var typ, ref, dg string
	for _, step := range []func() error{
		func() error { return exactly(data, &top, "critical", "optional") },
		func() error { return exactly(top["critical"], &critical, "type", "image", "identity") },
		func() error { return exactly(critical["image"], &image, "docker-manifest-digest") },
		func() error { return exactly(critical["identity"], &identity, "docker-reference") },
		func() error { return json.Unmarshal(critical["type"], &typ) },
		func() error { return json.Unmarshal(image["docker-manifest-digest"], &dg) },
		func() error { return json.Unmarshal(identity["docker-reference"], &ref) },
		func() error { return checkOptional(kind, top["optional"]) },
	} {
		if err := step(); err != nil {
			return Claim{}, err
		}
	}
	want := simpleType
	if kind == Sigstore {
		want = sigstoreType
	}
	if typ != want {
		return Claim{}, fmt.Errorf("its type is %q and not %q", typ, want)
	}
	d, err := digest.Parse(dg)
	if err != nil {
		return Claim{}, fmt.Errorf("digest %q: %w", dg, err)
	}
	return Claim{Digest: d, Reference: ref}, nil
}

// exactly reads an object that has just these members, each once.
func exactly(data []byte, into *map[string]json.RawMessage, names ...string) error {
	d := json.NewDecoder(bytes.NewReader(data))
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("JSON object expected, got %v", t)
	}
	*into = map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if _, twice := (*into)[name]; twice {
			return fmt.Errorf("duplicate key %q", name)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		(*into)[name] = value
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("there is more after the object")
	}
	for _, name := range names {
		if _, ok := (*into)[name]; !ok {
			return fmt.Errorf("key %q is missing", name)
		}
	}
	if len(*into) != len(names) {
		return fmt.Errorf("there are unknown keys beside %q", names)
	}
	return nil
}

// checkOptional refuses known members of the optional part with wrong values.
// Cosign writes null for an empty one.
func checkOptional(kind Kind, data []byte) error {
	if kind == Sigstore && string(data) == "null" {
		return nil
	}
	var o struct {
		Creator   *string      `json:"creator"`
		Timestamp *json.Number `json:"timestamp"`
	}
	if len(data) == 0 || data[0] != '{' {
		return fmt.Errorf("optional is not an object")
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	if o.Timestamp == nil {
		return nil
	}
	if _, err := strconv.ParseInt(o.Timestamp.String(), 10, 64); err != nil {
		if f, ferr := o.Timestamp.Float64(); ferr != nil || f != float64(int64(f)) {
			return fmt.Errorf("timestamp %q is not a whole number", o.Timestamp)
		}
	}
	return nil
}
