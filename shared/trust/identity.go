package trust

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// identity says which name a signature must claim for an image.
type identity struct {
	kind                 string
	exact                ref.Name // exactReference, exactRepository
	prefix, signedPrefix string   // remapIdentity
}

// The kinds of identity.
const (
	matchExact             = "matchExact"
	matchRepoDigestOrExact = "matchRepoDigestOrExact"
	matchRepository        = "matchRepository"
	exactReference         = "exactReference"
	exactRepository        = "exactRepository"
	remapIdentity          = "remapIdentity"
)

// parseIdentity reads a signedIdentity; nil data is the default.
func parseIdentity(data json.RawMessage) (identity, error) {
	if data == nil {
		return identity{kind: matchRepoDigestOrExact}, nil
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return identity{}, err
	}
	id := identity{kind: head.Type}
	var exact string
	places := map[string]any{"type": &id.kind}
	var needed []string
	switch id.kind {
	case matchExact, matchRepoDigestOrExact, matchRepository:
	case exactReference:
		places["dockerReference"], needed = &exact, []string{"dockerReference"}
	case exactRepository:
		places["dockerRepository"], needed = &exact, []string{"dockerRepository"}
	case remapIdentity:
		places["prefix"], places["signedPrefix"] = &id.prefix, &id.signedPrefix
		needed = []string{"prefix", "signedPrefix"}
	default:
		return id, fmt.Errorf("Unknown policy reference match type %q", id.kind)
	}
	if err := object(data, places); err != nil {
		return id, err
	}
	for _, key := range needed {
		if *places[key].(*string) == "" {
			return id, fmt.Errorf("Key %q missing in a JSON object", key)
		}
	}
	return id, id.complete(exact)
}

// complete checks the names in it.
func (id *identity) complete(exact string) error {
	var err error
	switch id.kind {
	case exactReference, exactRepository:
		key := "dockerReference"
		if id.kind == exactRepository {
			key = "dockerRepository"
		}
		if id.exact, err = ref.ParseNormalized(exact); err != nil {
			return fmt.Errorf("Invalid format of %s %q: %w", key, exact, err)
		}
		if id.kind == exactReference && id.exact.Tag == "" && id.exact.Digest == "" {
			return fmt.Errorf("dockerReference %q contains neither a tag nor digest", exact)
		}
	case remapIdentity:
		for _, p := range []struct{ key, value string }{{"prefix", id.prefix}, {"signedPrefix", id.signedPrefix}} {
			if !validPrefix(p.value) {
				return fmt.Errorf("%s %q is not valid", p.key, p.value)
			}
		}
	}
	return nil
}

// validPrefix tells whether s is a registry, or a namespace or repository in
// its full form.
func validPrefix(s string) bool {
	if ref.ValidDomain(s) && !strings.Contains(s, "/") {
		return true
	}
	n, err := ref.Parse(s)
	return err == nil && n.Domain != "" && n.Tag == "" && n.Digest == ""
}

// accepts tells whether a signature that claims the name is one for the image
// at l.
func (id identity) accepts(l ref.Location, claimed string) bool {
	sig, err := ref.ParseNormalized(claimed)
	if err != nil {
		return false
	}
	switch id.kind {
	case exactReference:
		return sig == id.exact && (sig.Tag != "" || sig.Digest != "")
	case exactRepository:
		return sig.Repository() == id.exact.Repository()
	}
	have := l.Name
	if have.IsZero() {
		return false // the place gives no name
	}
	switch id.kind {
	case matchRepository:
		return sig.Repository() == have.Repository()
	case matchExact:
		return sig == have && (have.Tag != "" || have.Digest != "")
	case remapIdentity:
		if have, err = id.remap(have); err != nil {
			return false
		}
	}
	// matchRepoDigestOrExact: the digest in a name was verified before.
	if have.Digest != "" {
		return sig.Repository() == have.Repository()
	}
	return have.Tag != "" && sig == have
}

// remap replaces the prefix of a name that has it.
func (id identity) remap(n ref.Name) (ref.Name, error) {
	repo := n.Repository().String()
	rest, ok := strings.CutPrefix(repo, id.prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return n, nil
	}
	mapped, err := ref.Parse(id.signedPrefix + rest)
	if err != nil {
		return n, err
	}
	if mapped.Domain == "" {
		return n, errdef.Newf(errdef.ErrInvalid, "the prefix %q makes no full name of %s", id.signedPrefix, n)
	}
	mapped.Tag, mapped.Digest = n.Tag, n.Digest
	return mapped, nil
}
