package build

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/store"
)

// Check writes what is suspicious in the Containerfile. It builds and pulls
// nothing. That there was something is an errdef.Exit with status 1.
func Check(st *store.Store, cfg *config.Config, req Request, out io.Writer) error {
	name, text, err := req.readFiles()
	if err != nil {
		return err
	}
	found, err := dockerfile.Check(name, text, dockerfile.CheckOptions{
		Args: req.Args, Platform: req.platformArgs(),
		Env: func(image string) ([]string, bool) { return knownEnv(st, cfg, req, image) },
	})
	if err != nil {
		return err
	}
	var b strings.Builder
	switch len(found) {
	case 0:
		_, err = fmt.Fprintln(out, "Check complete, no warnings found.")
		return err
	case 1:
		b.WriteString("Check complete, 1 warning has been found!\n")
	default:
		fmt.Fprintf(&b, "Check complete, %d warnings have been found!\n", len(found))
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") // reading added a line's end
	for _, w := range found {
		fmt.Fprintf(&b, "\nWARNING: %s - https://docs.docker.com/go/dockerfile/rule/%s/\n%s\n%s:%d\n", w.Rule, hyphenated(w.Rule), w.Text, name, w.First)
		excerpt(&b, lines, w)
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	return &errdef.Exit{Code: 1}
}

// knownEnv is what a base image sets, if it is known without a pull.
func knownEnv(st *store.Store, cfg *config.Config, req Request, image string) ([]string, bool) {
	if slices.Contains(slices.Collect(maps.Keys(req.Contexts)), image) {
		return nil, false
	}
	img, err := imgcopy.ResolveLocal(st, cfg, image)
	if err != nil || img.List {
		return nil, false
	}
	data, err := st.ImageConfig(img.ID)
	if err != nil {
		return nil, false
	}
	doc, err := parseImageDoc(data)
	if err != nil {
		return nil, false
	}
	return doc.Config.Env, true
}

// hyphenated is a rule's name as its page is called.
func hyphenated(rule string) string {
	var b strings.Builder
	for i, r := range rule {
		upper := r >= 'A' && r <= 'Z'
		before := i > 0 && rule[i-1] >= 'a'
		last := i+1 < len(rule) && rule[i+1] >= 'a'
		if upper && i > 0 && (before || last) {
			b.WriteByte('-')
		}
		b.WriteString(strings.ToLower(string(r)))
	}
	return b.String()
}

// around is how many lines an excerpt shows before and after.
const around = 2

func excerpt(b *strings.Builder, lines []string, w dockerfile.Warning) {
	const rule = "--------------------\n"
	b.WriteString(rule)
	for n := max(1, w.First-around); n <= min(len(lines), w.Last+around); n++ {
		mark := "   "
		if n >= w.First && n <= w.Last {
			mark = ">>>"
		}
		fmt.Fprintf(b, "%4d | %s %s\n", n, mark, lines[n-1])
	}
	b.WriteString(rule)
}
