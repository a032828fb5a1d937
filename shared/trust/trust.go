package trust

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// Policy is a policy.json.
type Policy struct {
	Default    []Requirement                       `json:"default"`
	Transports map[string]map[string][]Requirement `json:"transports"`
}

// Requirement is one thing that an image must meet.
type Requirement struct {
	Type string `json:"type"`
}

const maxPolicySize = 4 << 20

// Load reads the policy at path, or the configured one if path is empty. With
// no file at all everything is accepted.
func Load(cfg *config.Config, path string) (*Policy, error) {
	paths := []string{path}
	if path == "" {
		paths = cfg.PolicyPaths()
	}
	for _, p := range paths {
		f, err := os.Open(p)
		if os.IsNotExist(err) && path == "" {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, maxPolicySize))
		if err != nil {
			return nil, err
		}
		return parse(p, data)
	}
	return Insecure(), nil
}

// Insecure is the policy that accepts everything.
func Insecure() *Policy {
	return &Policy{Default: []Requirement{{Type: "insecureAcceptAnything"}}}
}

func parse(path string, data []byte) (*Policy, error) {
	p := &Policy{}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(p); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid policy in %q: %w", path, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid policy in %q: there is more after the policy", path)
	}
	if p.Default == nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid policy in %q: Default policy is missing", path)
	}
	lists := [][]Requirement{p.Default}
	for _, scopes := range p.Transports {
		for _, l := range scopes {
			lists = append(lists, l)
		}
	}
	for _, l := range lists {
		if len(l) == 0 {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid policy in %q: List of verification policy requirements must not be empty", path)
		}
	}
	return p, nil
}

// Check tells whether the image at l may be used.
func (p *Policy) Check(l ref.Location) error {
	for _, r := range p.requirements(l) {
		switch r.Type {
		case "insecureAcceptAnything":
		case "reject":
			return errdef.Newf(errdef.ErrDenied, "Source image rejected: Running image %s is rejected by policy.", l)
		default:
			return errdef.Newf(errdef.ErrDenied, "Source image rejected: the policy wants %s for image %s, which cannot be checked", r.Type, l)
		}
	}
	return nil
}

// requirements finds the list for the most specific scope.
func (p *Policy) requirements(l ref.Location) []Requirement {
	scopes := p.Transports[l.Transport]
	for _, s := range scopesOf(l) {
		if r, ok := scopes[s]; ok {
			return r
		}
	}
	if r, ok := scopes[""]; ok {
		return r
	}
	return p.Default
}

// scopesOf lists the scopes that cover l, the narrowest first.
func scopesOf(l ref.Location) []string {
	var out []string
	switch l.Transport {
	case ref.Docker:
		n := l.Name
		out = append(out, n.String())
		for s := n.Repository().String(); ; {
			out = append(out, s)
			i := strings.LastIndexByte(s, '/')
			if i < 0 {
				break
			}
			s = s[:i]
		}
		host := n.Domain
		for {
			_, rest, ok := strings.Cut(host, ".")
			if !ok {
				break
			}
			out = append(out, "*."+rest)
			host = rest
		}
	case ref.Dir, ref.OCI, ref.OCIArchive, ref.DockerArchive:
		path, err := filepath.Abs(l.Path)
		if err != nil {
			return nil
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		if l.Image != "" {
			out = append(out, path+":"+l.Image)
		}
		for path != "/" {
			out = append(out, path)
			path = filepath.Dir(path)
		}
	}
	return out
}
