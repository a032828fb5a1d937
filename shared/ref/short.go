package ref

// Local lists the names under which an image that the user calls n may lie in
// the store, in the order of their precedence: the name itself if it is full,
// else what was built here (localhost/), the alias, the registries to search
// and docker.io.
func Local(n Name, aliases map[string]string, search []string) []Name {
	n = n.Tagged()
	if !n.IsShort() {
		return []Name{n.Normalized()}
	}
	out := []Name{n.at("localhost")}
	if full, ok := alias(n, aliases); ok {
		out = append(out, full)
	}
	for _, domain := range append(search[:len(search):len(search)], DefaultDomain) {
		out = append(out, n.at(domain))
	}
	return unique(out)
}

// Remote lists the names to pull for n: the name itself if it is full, else
// its alias, else the name at each registry to search. It is empty if a short
// name has no alias and there is nothing to search.
func Remote(n Name, aliases map[string]string, search []string) []Name {
	n = n.Tagged()
	if !n.IsShort() {
		return []Name{n.Normalized()}
	}
	if full, ok := alias(n, aliases); ok {
		return []Name{full}
	}
	var out []Name
	for _, domain := range search {
		out = append(out, n.at(domain))
	}
	return unique(out)
}

// Here completes the name of what is made on this machine: a short one is
// localhost's, and one without a tag is tagged latest.
func (n Name) Here() Name {
	if n.IsShort() {
		n.Domain = "localhost"
	}
	return n.Normalized().Tagged()
}

// at places a short name at a registry, or at a namespace of one.
func (n Name) at(domain string) Name {
	full, err := ParseNormalized(domain + "/" + n.Path)
	if err != nil || full.IsShort() {
		full = Name{Domain: domain, Path: n.Path}.Normalized()
	}
	full.Tag, full.Digest = n.Tag, n.Digest
	return full
}

func alias(n Name, aliases map[string]string) (Name, bool) {
	value, ok := aliases[n.Path]
	if !ok {
		return Name{}, false
	}
	full, err := ParseNormalized(value)
	if err != nil {
		return Name{}, false
	}
	full.Tag, full.Digest = n.Tag, n.Digest
	return full, true
}

func unique(names []Name) []Name {
	seen := map[Name]bool{}
	out := names[:0]
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}
