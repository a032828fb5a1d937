package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/errdef"
)

// copyStep is COPY or ADD with its words expanded.
type copyStep struct {
	s       *stage
	inst    *dockerfile.Copy
	from    string // what --from names, "" for the build context
	fromID  string // of the image that it is
	tree    *fscopy.Tree
	sources []fscopy.Source // of the tree; nil until listed
	docs    []fscopy.Source // of here-documents
	content []string        // of here-documents
	remote  []string        // sources that are fetched
	fetched []*fscopy.Tree  // what came of them
	got     []fscopy.Source // of those trees
	words   []string
	dest    string
	digest  string
}

func (s *stage) copyAction(ctx context.Context, step *dockerfile.Step, inst *dockerfile.Copy) (*action, error) {
	c := &copyStep{s: s, inst: inst}
	if err := c.expand(); err != nil {
		return nil, err
	}
	a := &action{config: func() error { return nil }}
	a.files = func(ctx context.Context) error {
		a.wrote = true
		return c.do(ctx)
	}
	a.inputs = c.inputs
	a.created = func() string {
		return nop(fmt.Sprintf("%s %s in %s      ", inst.Keyword(), c.digest, inst.Dest))
	}
	return a, nil
}

func (c *copyStep) expand() error {
	vars := c.s.vars()
	words, err := c.s.expand.All(c.inst.Sources, vars)
	if err != nil {
		return err
	}
	c.split(words)
	if c.dest, err = c.s.expand.Word(c.inst.Dest, vars); err != nil {
		return err
	}
	if c.from, err = c.s.expand.Word(c.inst.From, vars); err != nil {
		return err
	}
	for _, doc := range c.inst.Heredocs {
		text, err := c.s.expand.Heredoc(doc, vars)
		if err != nil {
			return err
		}
		c.content = append(c.content, text)
	}
	c.place()
	return nil
}

// split parts what is fetched from what is there.
func (c *copyStep) split(words []string) {
	for _, word := range words {
		if c.inst.Add && dockerfile.IsRemote(word) {
			c.remote = append(c.remote, word)
			continue
		}
		c.words = append(c.words, word)
	}
}

// fetch gets the remote sources, once.
func (c *copyStep) fetch(ctx context.Context) error {
	for _, word := range c.remote[len(c.fetched):] {
		dir, err := c.s.b.fetchDir()
		if err != nil {
			return err
		}
		name := ""
		if dockerfile.IsGit(word) {
			name, err = clone(ctx, word, dir, c.inst.KeepGitDir)
		} else {
			name, err = download(ctx, word, dir, c.inst.Checksum, &c.s.b.req.Registry)
		}
		if err != nil {
			return err
		}
		tree, err := fscopy.OpenTree(dir, nil)
		if err != nil {
			return err
		}
		c.s.b.retire(tree)
		sources, err := tree.List([]string{name})
		if err != nil {
			return err
		}
		if err := tree.Hash(ctx, sources, nil); err != nil {
			return err
		}
		c.fetched, c.got = append(c.fetched, tree), append(c.got, sources...)
	}
	return nil
}

// copyFetched copies what was fetched; an archive only with --unpack.
func (c *copyStep) copyFetched(ctx context.Context, opts fscopy.Options) error {
	opts.Memory, opts.Extract = nil, c.inst.Unpack != nil && *c.inst.Unpack
	for i, tree := range c.fetched {
		if err := tree.Copy(ctx, c.s.root, c.got[i:i+1], opts); err != nil {
			return err
		}
	}
	return nil
}

// place makes the destination absolute; one that is a directory ends in a slash.
func (c *copyStep) place() {
	dir := strings.HasSuffix(c.dest, "/") || path.Base(c.dest) == "."
	if !path.IsAbs(c.dest) {
		c.dest = path.Join("/", c.s.doc.Config.WorkingDir, c.dest)
	}
	if dir && !strings.HasSuffix(c.dest, "/") {
		c.dest += "/"
	}
}

// list opens the tree that files come from and finds them.
func (c *copyStep) list(ctx context.Context) error {
	if c.sources != nil || len(c.words) == 0 {
		return nil
	}
	if c.tree == nil {
		dir, ignore := c.s.b.req.Context, c.s.b.ignore
		if c.from != "" {
			var err error
			if dir, c.fromID, err = c.s.b.source(ctx, c.from, c.s.planned.Index); err != nil {
				return sourceError(err, c.inst, c.from)
			}
			ignore = nil
		}
		var err error
		if len(c.inst.Exclude) > 0 {
			var exclude *fscopy.Ignore
			if exclude, err = fscopy.NewIgnore("--exclude", c.inst.Exclude); err != nil {
				return err
			}
			if c.tree, err = fscopy.OpenTree(dir, ignore); err == nil {
				c.tree.Exclude = exclude
				c.s.b.retire(c.tree)
			}
		} else {
			c.tree, err = c.s.b.tree(dir, ignore)
		}
		if err != nil {
			return err
		}
	}
	var err error
	c.sources, err = c.tree.List(c.words)
	return err
}

func sourceError(err error, inst *dockerfile.Copy, from string) error {
	if errors.Is(err, errdef.ErrNotFound) {
		return &wholeError{errdef.Newf(errdef.ErrNotFound, "%s --from=%s: no stage or image found with that name", inst.Keyword(), from)}
	}
	return err
}

// inputs are the content of the files, or the image that they come from.
func (c *copyStep) inputs(ctx context.Context) ([]string, error) {
	inputs := append([]string{c.dest, c.inst.Chown, c.inst.Chmod}, c.content...)
	if err := c.list(ctx); err != nil {
		return nil, err
	}
	if c.fromID != "" {
		return append(append(inputs, c.fromID), c.words...), nil
	}
	if err := c.fetch(ctx); err != nil {
		return nil, err
	}
	if len(c.got) > 0 {
		inputs = append(inputs, fscopy.Digest(c.got))
	}
	if len(c.sources) > 0 {
		if err := c.tree.Hash(ctx, c.sources, c.memory()); err != nil {
			return nil, err
		}
		inputs = append(inputs, fscopy.Digest(c.sources))
	}
	return inputs, nil
}

// memory is the build context's: other trees come and go.
func (c *copyStep) memory() *fscopy.Memory {
	if c.from == "" {
		return c.s.b.memory
	}
	return nil
}

// do copies into the working container.
func (c *copyStep) do(ctx context.Context) error {
	if err := c.list(ctx); err != nil {
		return err
	}
	if err := c.s.ensure(); err != nil {
		return err
	}
	opts, err := c.options()
	if err != nil {
		return err
	}
	if err := c.fetch(ctx); err != nil {
		return err
	}
	if err := c.copyFetched(ctx, opts); err != nil {
		return err
	}
	if len(c.sources) > 0 {
		if len(c.content)+len(c.got)+len(c.sources) > 1 && !strings.HasSuffix(opts.Dest, "/") {
			opts.Dest += "/"
		}
		if err := c.tree.Copy(ctx, c.s.root, c.sources, opts); err != nil {
			return err
		}
	}
	if err := c.copyDocs(ctx, opts); err != nil {
		return err
	}
	c.digest = fscopy.Digest(slices.Concat(c.got, c.sources, c.docs))
	return nil
}

func (c *copyStep) options() (fscopy.Options, error) {
	o := fscopy.Options{
		Dest: c.dest, Extract: c.inst.Add && (c.inst.Unpack == nil || *c.inst.Unpack), Parents: c.inst.Parents, Times: c.s.b.req.Timestamp,
		Memory: c.memory(), NeedDigests: true,
	}
	if c.from == "" {
		o.Chown, o.StripSetID = &fscopy.Owner{}, true
	}
	vars := c.s.vars()
	chown, err := c.s.expand.Word(c.inst.Chown, vars)
	if err != nil {
		return o, err
	}
	if chown != "" {
		owner, err := c.s.owner(chown)
		if err != nil {
			return o, fmt.Errorf("looking up UID/GID for %q: %w", chown, err)
		}
		o.Chown, o.DirOwner, o.OwnArchives = &owner, owner, true
	}
	chmod, err := c.s.expand.Word(c.inst.Chmod, vars)
	if err != nil {
		return o, err
	}
	if chmod != "" {
		if o.Chmod, err = fscopy.ParseChmod(chmod); err != nil {
			return o, err
		}
	}
	return o, nil
}

// owner looks up the value of --chown. A number without a group is both.
func (s *stage) owner(text string) (fscopy.Owner, error) {
	user, err := s.user(text)
	if err != nil {
		return fscopy.Owner{}, err
	}
	name, group, _ := strings.Cut(text, ":")
	if uid, err := strconv.ParseUint(name, 10, 32); err == nil && group == "" {
		return fscopy.Owner{UID: int(uid), GID: int(uid)}, nil
	}
	return fscopy.Owner{UID: user.UID, GID: user.GID}, nil
}

// copyDocs copies here-documents, through files in the container's own
// directory, which goes with it.
func (c *copyStep) copyDocs(ctx context.Context, opts fscopy.Options) error {
	if len(c.content) == 0 {
		return nil
	}
	if err := os.MkdirAll(c.s.runDir(), 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(c.s.runDir(), "documents-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var names []string
	for i, doc := range c.inst.Heredocs {
		name := filepath.Base(doc.Name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(c.content[i]), 0o644); err != nil {
			return err
		}
		names = append(names, name)
	}
	tree, err := fscopy.OpenTree(dir, nil)
	if err != nil {
		return err
	}
	defer tree.Close()
	if c.docs, err = tree.List(names); err != nil {
		return err
	}
	opts.Memory, opts.Extract = nil, false
	return tree.Copy(ctx, c.s.root, c.docs, opts)
}

// runDir is a directory for the working container's own files.
func (s *stage) runDir() string { return s.b.st.ContainerRunDir(s.container) }
