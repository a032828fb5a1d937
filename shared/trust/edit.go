package trust

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/atomicfile"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// Rule is what Set makes a policy say of a scope.
type Rule struct {
	Scope string   // a registry, a repository, an image, or DefaultScope
	Type  string   // accept, reject, signedBy, sigstoreSigned
	Keys  []string // files with public keys: the image needs a signature by each
}

// Set changes what the policy file at path says of one scope, and nothing else
// of it. An empty path is the file in force, or the one that a user or the
// system would have.
func Set(cfg *config.Config, path string, r Rule) error {
	if path == "" {
		path = policyToWrite(cfg)
	}
	list, err := r.requirements()
	if err != nil {
		return err
	}
	old, err := readFile(path, maxPolicySize)
	if os.IsNotExist(err) {
		old, err = []byte("{}"), nil
	}
	if err != nil {
		return err
	}
	data, err := withRule(old, r.Scope, list)
	if err != nil {
		return errdef.Newf(errdef.ErrInvalid, "invalid policy in %q: %w", path, err)
	}
	mode := os.FileMode(0o644)
	if fi, err := os.Stat(path); err == nil {
		mode = fi.Mode().Perm()
	} else if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a link stays one
	}
	return atomicfile.Write(path, data, mode)
}

// policyToWrite is the policy file in force, or the one to begin. That of the
// vendor is not for changing.
func policyToWrite(cfg *config.Config) string {
	paths := cfg.PolicyPaths()
	for _, p := range paths[:2] {
		if _, err := os.Lstat(p); err == nil {
			return p
		}
	}
	if cfg.Rootless {
		return paths[0]
	}
	return paths[1]
}

// requirements are the rule in the words of a policy.
func (r Rule) requirements() ([]map[string]string, error) {
	if r.Scope != DefaultScope && !validRegistryScope(r.Scope) {
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid image uri: %s (want a registry, or a repository with its registry)", r.Scope)
	}
	switch r.Type {
	case "accept", "reject":
		if len(r.Keys) > 0 {
			return nil, errdef.Newf(errdef.ErrInvalid, "%d public keys unexpectedly provided for trust type %s", len(r.Keys), r.Type)
		}
		if r.Type == "accept" {
			return []map[string]string{{"type": "insecureAcceptAnything"}}, nil
		}
		return []map[string]string{{"type": "reject"}}, nil
	case "signedBy", "sigstoreSigned":
	default:
		return nil, errdef.Newf(errdef.ErrInvalid, "invalid choice: %s (choose from 'accept', 'reject', 'signedBy', 'sigstoreSigned')", r.Type)
	}
	if len(r.Keys) == 0 {
		return nil, errdef.Newf(errdef.ErrInvalid, "at least one public key must be defined for type '%s'", r.Type)
	}
	var out []map[string]string
	for _, k := range r.Keys {
		// Who reads the policy later is in another directory.
		path, err := filepath.Abs(k)
		if err != nil {
			return nil, err
		}
		one := map[string]string{"type": r.Type, "keyPath": path}
		if r.Type == "signedBy" {
			one["keyType"] = "GPGKeys"
		}
		out = append(out, one)
	}
	return out, nil
}

// validRegistryScope tells whether an image's name can be in the scope.
func validRegistryScope(scope string) bool {
	if _, err := ref.Parse(scope); err == nil {
		return true
	}
	_, err := ref.Parse(strings.TrimPrefix(scope, "*.") + "/x")
	return err == nil
}

// withRule changes the text of a policy.
func withRule(data []byte, scope string, list []map[string]string) ([]byte, error) {
	policy, err := raws(data)
	if err != nil {
		return nil, err
	}
	if scope == DefaultScope {
		policy["default"], err = json.Marshal(list)
	} else {
		policy["transports"], err = changed(policy["transports"], func(transports map[string]json.RawMessage) (err error) {
			transports[ref.Docker], err = changed(transports[ref.Docker], func(scopes map[string]json.RawMessage) (err error) {
				scopes[scope], err = json.Marshal(list)
				return err
			})
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	if policy["default"] == nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "default trust policy must be set")
	}
	out, err := json.MarshalIndent(policy, "", "    ")
	if err != nil {
		return nil, err
	}
	// What can't be enforced afterwards must not be written.
	_, err = Parse(out)
	return append(out, '\n'), err
}

// changed gives an object, which may be missing, with a change.
func changed(data json.RawMessage, change func(map[string]json.RawMessage) error) (json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if data != nil {
		var err error
		if members, err = raws(data); err != nil {
			return nil, err
		}
	}
	if err := change(members); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}
