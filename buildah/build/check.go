package build

import (
	"errors"
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
	checked, err := req.checkText(st, cfg, name, text)
	var e *explained
	if errors.As(err, &e) {
		_, _ = io.WriteString(out, e.text)
	}
	if err != nil {
		return err
	}
	found := checked.Warnings
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
	for _, w := range found {
		fmt.Fprintf(&b, "\nWARNING: %s - https://docs.docker.com/go/dockerfile/rule/%s/\n%s\n%s:%d\n", w.Rule, hyphenated(w.Rule), w.Text, name, w.First)
		dockerfile.Excerpt(&b, text, w.First, w.Last)
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	return &errdef.Exit{Code: 1, Err: checked.Err()}
}

// checkText finds what is suspicious in the text of a Containerfile.
func (r *Request) checkText(st *store.Store, cfg *config.Config, name string, text []byte) (*dockerfile.Checked, error) {
	ignore, err := r.readIgnore(name)
	if err != nil {
		return nil, err
	}
	checked, err := dockerfile.Check(name, text, dockerfile.CheckOptions{
		Args: r.Args, Platform: r.platformArgs(), Ignored: ignore.Ignored,
		Env: func(image string) ([]string, bool) { return knownEnv(st, cfg, *r, image) },
	})
	if err != nil {
		return nil, explain(err, name, text, nil)
	}
	return checked, nil
}

// refuseSuspicious is an error where the file says that it wants none built
// while there are warnings ("# check=error=true").
func (r *Request) refuseSuspicious(st *store.Store, cfg *config.Config, file *dockerfile.File) error {
	checked, err := r.checkText(st, cfg, file.Name, file.Text)
	if err != nil {
		return err
	}
	failed := checked.Err()
	if failed == nil {
		return nil
	}
	var b strings.Builder
	for _, w := range checked.Warnings {
		fmt.Fprintf(&b, " - %s: %s (%s:%d)\n", w.Rule, w.Text, file.Name, w.First)
	}
	return &explained{failed, b.String()}
}

// sayChecked lists what is suspicious in the Containerfile after a build.
func (b *builder) sayChecked() {
	file := b.plan.File
	checked, err := b.req.checkText(b.st, b.cfg, file.Name, file.Text)
	if err != nil || len(checked.Warnings) == 0 || !b.out.checked.CompareAndSwap(false, true) {
		return // it was built: what can't be checked is good enough
	}
	if n := len(checked.Warnings); n == 1 {
		b.out.line("1 warning found (--check shows where):")
	} else {
		b.out.line("%d warnings found (--check shows where):", n)
	}
	for _, w := range checked.Warnings {
		b.out.line(" - %s: %s (%s:%d)", w.Rule, w.Text, file.Name, w.First)
	}
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
