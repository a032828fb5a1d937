package trust

import (
	"maps"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/signature"
)

// Entry is one requirement of a policy, as people are shown it.
type Entry struct {
	Transport string   `json:"transport"` // "all" for the default, "repository" for registries
	Name      string   `json:"name,omitempty"`
	Scope     string   `json:"repo_name,omitempty"`
	Keys      []string `json:"keys,omitempty"`
	Store     string   `json:"sigstore,omitempty"` // where simple signatures are read
	Type      string   `json:"type"`
	Signers   string   `json:"gpg_id,omitempty"` // whom the keys belong to
}

// DefaultScope is the name of what holds where a policy says nothing else.
const DefaultScope = "default"

// Entries lists what the policy says: the default, then every scope of every
// transport.
func (p *Policy) Entries(places *Places) []Entry {
	out := entriesOf(Entry{Transport: "all", Name: "* (default)", Scope: DefaultScope, Store: places.Default()}, p.def)
	for _, transport := range slices.Sorted(maps.Keys(p.transports)) {
		scopes := p.transports[transport]
		for _, scope := range slices.Sorted(maps.Keys(scopes)) {
			e := Entry{Transport: transport, Name: scope, Scope: scope, Store: places.Default()}
			if transport == ref.Docker {
				e.Transport = "repository"
				if s := places.Show(scope); s != "" {
					e.Store = s
				}
			}
			out = append(out, entriesOf(e, scopes[scope])...)
		}
	}
	return out
}

// entriesOf makes an entry of each requirement; e has what they share.
func entriesOf(e Entry, list []requirement) []Entry {
	var out []Entry
	for _, r := range list {
		switch r := r.(type) {
		case anything:
			e.Type = "accept"
		case reject:
			e.Type = "reject"
		case *signedBy:
			e.Type, e.Keys, e.Signers = "signed", r.keys.paths, r.keys.signers()
		case *sigstoreSigned:
			e.Type, e.Keys, e.Signers = "sigstoreSigned", r.keys.paths, "N/A"
		}
		out = append(out, e)
	}
	return out
}

// signers are the addresses, or else the names, in the keys. A key that cannot
// be read is one whose images are refused; to a list it adds nothing.
func (k keySource) signers() string {
	var out []string
	for _, path := range k.paths {
		out = append(out, signersOf(readFile(path, maxKeySize))...)
	}
	for _, data := range k.datas {
		out = append(out, signersOf(data, nil)...)
	}
	return strings.Join(out, ", ")
}

func signersOf(data []byte, err error) []string {
	if err != nil {
		return nil
	}
	ring, err := signature.ReadKeyring(data)
	if err != nil {
		return nil
	}
	return ring.Owners()
}

// Governing gives those of the entries that decide about the images of a
// registry or repository.
func Governing(entries []Entry, name string) []Entry {
	for scope := name; scope != ""; scope = parentScope(scope) {
		if found := named(entries, scope); found != nil {
			return found
		}
	}
	host, _, _ := strings.Cut(name, "/")
	for _, w := range append(wildcards(host), "") {
		if found := named(entries, w); found != nil {
			return found
		}
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Transport != "all" })
}

// parentScope is the next wider scope of a registry's: an image's repository, a
// repository's namespace; "" for a registry itself.
func parentScope(scope string) string {
	slash := strings.LastIndexByte(scope, '/')
	if slash < 0 {
		return ""
	}
	if i := strings.IndexAny(scope[slash:], ":@"); i >= 0 {
		return scope[:slash+i]
	}
	return scope[:slash]
}

func named(entries []Entry, scope string) []Entry {
	var out []Entry
	for _, e := range entries {
		if e.Transport == "repository" && e.Name == scope {
			out = append(out, e)
		}
	}
	return out
}
