package imgcopy

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/transport"
)

// A layer in zstd:chunked form is pulled in parts when that is faster. The rule: it
// has a megabyte at least and a table of contents of at most a quarter of that, the
// store has images of its registry, and what is left to fetch is at most three
// quarters of the layer, each part counted with what its request costs. Whatever
// goes wrong on this way, the layer is fetched whole.
const (
	minInParts = 1 << 20
	// partCost is how many bytes come in the time that one more part of a request
	// takes, and requestCost in that of one more request: a gap that is smaller than
	// that is not worth to be left out.
	partCost    = 512
	requestCost = 256 << 10
)

// inParts copies a layer by its parts. done is false if it is to be fetched whole.
func (c *copier) inParts(ctx context.Context, d v1.Descriptor, bar cliout.Bar) (done bool, err error) {
	src, ranges := c.src.(transport.Ranger)
	dst, mixes := c.dst.(transport.Mixer)
	at, chunked := store.ChunkedAt(d.Annotations, d.Size)
	if !ranges || !mixes || !chunked || c.from.Transport != ref.Docker || !c.Destination.Config.Storage.Pull.InParts ||
		d.Size < minInParts || (at.TOC.Len()+at.Split.Len())*4 > d.Size {
		return false, nil
	}
	p := &partsPull{c: c, src: src, dst: dst, d: d, bar: bar}
	if err = p.plan(ctx, at); err == nil {
		err = p.pull(ctx)
	}
	switch {
	case err == nil:
		c.unseen.Store(transport.Digest(d), true)
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	}
	if log := c.Source.Registry.Log; log != nil {
		log(fmt.Sprintf("layer %s is fetched whole: %v", d.Digest, err))
	}
	return false, nil
}

// partsPull is the pull of one layer.
type partsPull struct {
	c      *copier
	src    transport.Ranger
	dst    transport.Mixer
	d      v1.Descriptor
	bar    cliout.Bar
	recipe *store.Recipe
	gap    int64
	parts  []store.Span
}

// plan finds out what is to be fetched.
func (p *partsPull) plan(ctx context.Context, at store.Chunked) error {
	from := p.c.origin()
	if !p.dst.HasAlike(from) {
		return errNotFaster
	}
	r, err := p.src.BlobParts(ctx, transport.Digest(p.d), p.d.Size, []store.Span{at.TOC, at.Split}, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	in := &counted{ctx, r, p.bar}
	toc, split := make([]byte, at.TOC.Len()), make([]byte, at.Split.Len())
	if _, err = io.ReadFull(in, toc); err == nil {
		_, err = io.ReadFull(in, split)
	}
	if err != nil {
		return err
	}
	if p.recipe, err = p.dst.Recipe(ctx, from, p.d.Size, at, toc, split); err != nil {
		return err
	}
	if p.gap = requestCost; p.src.ManyParts() {
		p.gap = partCost
	}
	p.parts = p.recipe.Missing(p.gap)
	if p.size()+int64(len(p.parts))*p.gap > p.d.Size/4*3 {
		return errNotFaster
	}
	return nil
}

// origin tells what the server may learn of. A mirror is trusted with what it was
// set up for, which the other images of the registry may not belong to.
func (c *copier) origin() store.Origin {
	o := store.Origin{Name: c.from.Name.String(), Within: c.from.Name.Domain}
	if at, ok := transport.RepositoryOf(c.src); !ok || at.Domain != o.Within {
		o.Within = c.from.Name.Repository().String()
	}
	return o
}

var errNotFaster = errors.New("its parts would take as long")

// size is that of what is to be fetched, in bytes.
func (p *partsPull) size() int64 {
	n := int64(0)
	for _, s := range p.parts {
		n += s.Len()
	}
	return n
}

// pull fetches the parts and has the layer made.
func (p *partsPull) pull(ctx context.Context) error {
	dg := transport.Digest(p.d)
	// What comes of these parts is kept under a name of its own.
	kept := p.c.keep(digest.FromString(fmt.Sprint(dg, p.parts)), p.size())
	r, _, err := openKept(p.size(), kept, func(from int64) (io.ReadCloser, int64, error) {
		r, err := p.src.BlobParts(ctx, dg, p.d.Size, p.parts, from)
		return &transferred{r, p.bar}, p.size(), err
	})
	if err != nil {
		return err
	}
	tar, err := p.recipe.Tar(p.gap, r)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	err = p.dst.PutTar(ctx, dg, tar)
	kept.settle(ctx, err)
	// The first ends a Read that may be under way, the second waits for it.
	_ = r.Close()
	return errors.Join(err, tar.Close())
}

// transferred counts what really comes.
type transferred struct {
	io.ReadCloser
	bar cliout.Bar
}

func (t *transferred) Read(b []byte) (int, error) {
	n, err := t.ReadCloser.Read(b)
	t.bar.Add(int64(n))
	return n, err
}
