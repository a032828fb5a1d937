package trust

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/signature"
)

// Policy is a policy.json.
type Policy struct {
	def        []requirement
	transports map[string]map[string][]requirement
}

// Image is what a policy may want to know of an image.
type Image struct {
	Location ref.Location
	Manifest []byte
	// Signatures reads the image's signatures; it is called only by
	// requirements that want one.
	Signatures func() ([]signature.Signature, error)
}

// requirement is one thing that an image must meet; its error is of the class
// errdef.ErrDenied or says why it could not be found out.
type requirement interface {
	accept(img Image) error
}

const maxPolicySize = 4 << 20

// Load reads the policy at path, or the configured one if path is empty. With
// no file at all everything is accepted.
func Load(cfg *config.Config, path string) (*Policy, error) {
	if path == "" {
		if path = Path(cfg); path == "" {
			return Insecure(), nil
		}
	}
	data, err := readFile(path, maxPolicySize)
	if err != nil {
		return nil, err
	}
	p, err := Parse(data)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid policy in %q: %w", path, err)
	}
	return p, nil
}

// Path finds the policy file that is in force; "" if there is none.
func Path(cfg *config.Config) string {
	for _, p := range cfg.PolicyPaths() {
		// One that cannot be read counts: it must not be passed over.
		if _, err := os.Lstat(p); !os.IsNotExist(err) {
			return p
		}
	}
	return ""
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = errdef.Newf(errdef.ErrInvalid, "%s is larger than %d bytes", path, limit)
	}
	return data, err
}

// Insecure is the policy that accepts everything.
func Insecure() *Policy { return &Policy{def: []requirement{anything{}}} }

// Parse reads the text of a policy.json. It is strict: an unknown key may be
// a misspelt restriction.
func Parse(data []byte) (*Policy, error) {
	if err := json.Unmarshal(data, &json.RawMessage{}); err != nil {
		return nil, err
	}
	var def, transports json.RawMessage
	if err := object(data, map[string]any{"default": &def, "transports": &transports}); err != nil {
		return nil, err
	}
	if def == nil {
		return nil, fmt.Errorf("Default policy is missing")
	}
	p := &Policy{transports: map[string]map[string][]requirement{}}
	var err error
	if p.def, err = parseRequirements(def); err != nil || transports == nil {
		return p, err
	}
	byName, err := raws(transports)
	if err != nil {
		return nil, err
	}
	for name, scopes := range byName {
		if p.transports[name], err = parseScopes(name, scopes); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func parseScopes(transport string, data []byte) (map[string][]requirement, error) {
	byScope, err := raws(data)
	if err != nil {
		return nil, err
	}
	out := map[string][]requirement{}
	for scope, list := range byScope {
		if scope != "" && !validScope(transport, scope) {
			return nil, fmt.Errorf("Unknown key %q", scope)
		}
		if out[scope], err = parseRequirements(list); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseRequirements(data []byte) ([]requirement, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("List of verification policy requirements must not be empty")
	}
	out := make([]requirement, len(list))
	for i, one := range list {
		var err error
		if out[i], err = parseRequirement(one); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseRequirement(data []byte) (requirement, error) {
	var kind struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, err
	}
	var typ string
	switch kind.Type {
	case "insecureAcceptAnything":
		return anything{}, object(data, map[string]any{"type": &typ})
	case "reject":
		return reject{}, object(data, map[string]any{"type": &typ})
	case "signedBy":
		return parseSignedBy(data)
	case "sigstoreSigned":
		return parseSigstoreSigned(data)
	case "signedBaseLayer":
		return nil, errdef.Newf(errdef.ErrUnsupported, "the policy requirement signedBaseLayer is not supported")
	}
	return nil, fmt.Errorf("Unknown policy requirement type %q", kind.Type)
}

// anything accepts every image.
type anything struct{}

func (anything) accept(Image) error { return nil }

// reject accepts none.
type reject struct{}

func (reject) accept(img Image) error {
	return errdef.Newf(errdef.ErrDenied, "Running image %s is rejected by policy.", img.Location)
}

// Rejects tells, before anything of the image at l was read, that it cannot
// be accepted. No error does not mean that it is.
func (p *Policy) Rejects(l ref.Location) error {
	for _, r := range p.requirements(l) {
		if r, ok := r.(reject); ok {
			return denied(r.accept(Image{Location: l}))
		}
	}
	return nil
}

// AcceptsUnseen tells whether any image at l is accepted, whatever it is and
// whoever signed it.
func (p *Policy) AcceptsUnseen(l ref.Location) bool {
	none := func() ([]signature.Signature, error) { return nil, nil }
	return p.Accept(Image{Location: l, Signatures: none}) == nil
}

// Accept tells whether the image may be used: it must meet every requirement
// of the narrowest scope that covers it.
func (p *Policy) Accept(img Image) error {
	for _, r := range p.requirements(img.Location) {
		if err := r.accept(img); err != nil {
			return denied(err)
		}
	}
	return nil
}

func denied(err error) error {
	return errdef.Newf(errdef.ErrDenied, "Source image rejected: %w", err)
}

// noneAccepted sums up why none of an image's signatures was good enough.
func noneAccepted(reasons []error) error {
	switch len(reasons) {
	case 0:
		return errdef.Newf(errdef.ErrDenied, "A signature was required, but no signature exists")
	case 1:
		return reasons[0]
	}
	var texts []string
	for _, err := range reasons {
		texts = append(texts, err.Error())
	}
	return errdef.Newf(errdef.ErrDenied, "None of the signatures were accepted, reasons: %s", strings.Join(texts, "; "))
}
