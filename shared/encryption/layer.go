package encryption

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// suffix ends the media type of an encrypted layer.
const suffix = "+encrypted"

// The annotations of an encrypted layer.
const (
	annotationPrefix = "org.opencontainers.image.enc."
	keysPrefix       = annotationPrefix + "keys."
	publicAnnotation = annotationPrefix + "pubopts"
)

// The ways in which the key of a layer gets wrapped.
const (
	schemeJWE   = "jwe"
	schemePKCS7 = "pkcs7"
	schemePGP   = "pgp"
)

// maxWrapped bounds the wrapped keys of a layer that are tried: each may cost
// an operation of RSA.
const maxWrapped = 256

// Encrypted tells whether the media type is an encrypted layer's.
func Encrypted(mediaType string) bool { return strings.HasSuffix(mediaType, suffix) }

// Sealed is the media type of the layer when it is encrypted.
func Sealed(mediaType string) string { return mediaType + suffix }

// Opened is the media type of the encrypted layer when it is decrypted.
func Opened(mediaType string) string { return strings.TrimSuffix(mediaType, suffix) }

// Others are the annotations that are not about encryption.
func Others(annotations map[string]string) map[string]string {
	var out map[string]string
	for k, v := range annotations {
		if strings.HasPrefix(k, annotationPrefix) {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k] = v
	}
	return out
}

// annotations wraps the key for everybody.
func (r *Recipients) annotations(in private, out public) (map[string]string, error) {
	text, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	seen, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	notes := map[string]string{publicAnnotation: base64.StdEncoding.EncodeToString(seen)}
	for scheme, wrap := range map[string]func([]byte) ([]byte, error){schemeJWE: r.wrapJWE, schemePKCS7: r.wrapPKCS7, schemePGP: r.wrapPGP} {
		wrapped, err := wrap(text)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "encrypt the key of a layer (%s): %w", scheme, err)
		}
		if wrapped != nil {
			notes[keysPrefix+scheme] = base64.StdEncoding.EncodeToString(wrapped)
		}
	}
	return notes, nil
}

// Open finds the key of the layer with the annotations. No keys at all are
// none that fits.
func (k *Keys) Open(annotations map[string]string) (*Secret, error) {
	if k == nil {
		return nil, errdef.Newf(errdef.ErrDenied, "missing private key needed for decryption (--decryption-key gives it)")
	}
	var out public
	if err := decode(annotations[publicAnnotation], &out); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "the annotation %s: %w", publicAnnotation, err)
	}
	text, err := k.unwrap(annotations)
	if err != nil {
		return nil, err
	}
	var in private
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "the key of the layer is no JSON document") // whose text is secret
	}
	return secret(in, out)
}

// unwrap tries every key on every wrapped key that is there.
func (k *Keys) unwrap(annotations map[string]string) ([]byte, error) {
	tried := 0
	for _, s := range []struct {
		scheme string
		unwrap func([]byte) []byte
	}{{schemeJWE, k.unwrapJWE}, {schemePKCS7, k.unwrapPKCS7}, {schemePGP, k.unwrapPGP}} {
		value := annotations[keysPrefix+s.scheme]
		if value == "" {
			continue
		}
		for part := range strings.SplitSeq(value, ",") {
			if tried++; tried > maxWrapped {
				return nil, errdef.Newf(errdef.ErrInvalid, "the layer has more than %d wrapped keys", maxWrapped)
			}
			wrapped, err := base64.StdEncoding.DecodeString(part)
			if err != nil {
				return nil, errdef.Newf(errdef.ErrInvalid, "the annotation %s: %w", keysPrefix+s.scheme, err)
			}
			if text := s.unwrap(wrapped); text != nil {
				return text, nil
			}
		}
	}
	if tried == 0 {
		return nil, errdef.Newf(errdef.ErrUnsupported, "the layer is encrypted for none of %s, %s and %s", schemeJWE, schemePKCS7, schemePGP)
	}
	return nil, errdef.Newf(errdef.ErrDenied, "none of the private keys could be used for decryption%s", k.hint(annotations))
}

// hint says what is missing where that is known.
func (k *Keys) hint(annotations map[string]string) string {
	if annotations[keysPrefix+schemePKCS7] != "" && len(k.private) > 0 && len(k.certificates) == 0 {
		return " (PKCS #7 needs the certificate, too: give it with a further --decryption-key)"
	}
	return ""
}

func decode(annotation string, v any) error {
	data, err := base64.StdEncoding.DecodeString(annotation)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}
