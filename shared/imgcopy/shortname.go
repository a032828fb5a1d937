package imgcopy

import (
	"context"
	"fmt"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// Chooser asks the user for one of the options and gives its index.
type Chooser func(ctx context.Context, question string, options []string) (int, error)

// Candidates are the full names that a name to pull may stand for, in the
// order in which they are to be tried.
type Candidates struct {
	Names []ref.Name
	Said  string // what to tell the user of how they were found; "" for a full name

	chosen bool // the user was asked
	short  ref.Name
	cfg    *config.Config
}

// ResolveRemote finds out what n stands for: itself if it is full, its alias,
// or the name at each registry to search, of which the user may have to choose
// one. choose is nil where nobody can be asked.
func ResolveRemote(ctx context.Context, cfg *config.Config, n ref.Name, choose Chooser) (Candidates, error) {
	c := Candidates{short: n, cfg: cfg}
	regs, err := cfg.Registries()
	if err != nil {
		return c, err
	}
	if n.Digest != "" {
		n.Tag = "" // the digest says all
	}
	c.Names = ref.Remote(n, regs.Aliases, regs.UnqualifiedSearch)
	if !n.IsShort() {
		return c, nil
	}
	if path, ok := regs.AliasPaths[n.Path]; ok {
		c.Said = fmt.Sprintf("Resolved %q as an alias (%s)", n.Path, path)
		return c, nil
	}
	c.Said = fmt.Sprintf("Resolving %q using unqualified-search registries (%s)", n.Path, regs.SearchPath)
	switch {
	case len(c.Names) == 0:
		return c, errdef.Newf(errdef.ErrNotFound, "short-name %q did not resolve to an alias and no unqualified-search registries are defined in %q", n, regs.Path)
	case len(c.Names) == 1 || regs.ShortNameMode == config.ShortNameDisabled:
		return c, nil
	case choose != nil:
		return c, c.ask(ctx, choose)
	case regs.ShortNameMode == config.ShortNameEnforcing:
		return c, errdef.Newf(errdef.ErrInvalid, "short-name resolution enforced but cannot prompt without a TTY: %q could be %s (write the whole name, or an alias into %q)",
			n, orList(c.Names), regs.Path)
	}
	return c, nil
}

func (c *Candidates) ask(ctx context.Context, choose Chooser) error {
	var options []string
	for _, n := range c.Names {
		options = append(options, n.String())
	}
	i, err := choose(ctx, fmt.Sprintf("Several registries could have %q. Which image is meant?", c.short), options)
	if err != nil {
		return fmt.Errorf("choose an image for %q: %w", c.short, err)
	}
	c.Names, c.chosen, c.Said = c.Names[i:i+1], true, ""
	return nil
}

// Record remembers what the user chose, once the image could be pulled.
func (c *Candidates) Record() error {
	if !c.chosen {
		return nil
	}
	return c.cfg.RecordAlias(c.short, c.Names[0])
}

func orList(names []ref.Name) string {
	s := names[0].String()
	for _, n := range names[1:] {
		s += " or " + n.String()
	}
	return s
}
