package transport

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
)

// dockerSource is an image in a registry, or in the first mirror that has it.
type dockerSource struct {
	client  *registry.Client
	primary Manifest
	tag     string
	signaturePlaces
}

func openDocker(ctx context.Context, l Ref, o Options) (Source, error) {
	return atFirst(ctx, l, o, func(client *registry.Client, id string) (Source, error) {
		s := &dockerSource{client: client, tag: l.Name.Tag, signaturePlaces: placesOf(o)}
		var err error
		if s.primary, err = s.fetch(ctx, id); err != nil {
			client.Close()
			return nil, err
		}
		return s, nil
	})
}

// HeadDocker tells digest and type of what l names in a registry, without the
// manifest's Bytes.
func HeadDocker(ctx context.Context, l Ref, o Options) (Manifest, error) {
	return atFirst(ctx, l, o, func(client *registry.Client, id string) (Manifest, error) {
		defer client.Close()
		return client.HeadManifest(ctx, id)
	})
}

// atFirst asks the places that registries.conf gives for the name, one after
// the other, until one has an answer.
func atFirst[T any](ctx context.Context, l Ref, o Options, ask func(client *registry.Client, id string) (T, error)) (T, error) {
	var none T
	regs, err := o.Config.Registries()
	if err != nil {
		return none, err
	}
	places, err := regs.Endpoints(l.Name.String())
	if err != nil {
		return none, err
	}
	var failed []string
	for _, p := range places {
		var answer T
		if answer, err = askAt(p.Name, p.Insecure, o, ask); err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return none, ctx.Err()
		}
		if p.Mirror {
			failed = append(failed, fmt.Sprintf("%s: %v", p.Name, err))
		}
	}
	if len(failed) > 0 {
		err = fmt.Errorf("%w (mirrors also failed: %s)", err, strings.Join(failed, "; "))
	}
	return none, err
}

func askAt[T any](name string, insecure bool, o Options, ask func(client *registry.Client, id string) (T, error)) (T, error) {
	var none T
	n, err := ref.ParseNormalized(name)
	if err != nil {
		return none, fmt.Errorf("parse rewritten name %q: %w", name, err)
	}
	client, err := registry.New(o.Config, n, insecure, o.Registry)
	if err != nil {
		return none, err
	}
	return ask(client, n.Identifier())
}

func (s *dockerSource) fetch(ctx context.Context, id string) (Manifest, error) {
	m, err := s.client.Manifest(ctx, id)
	if err != nil {
		return m, err
	}
	if m.MediaType, err = MediaType(m.Bytes, m.MediaType); err != nil {
		return m, fmt.Errorf("reading manifest %s in %s: %w", id, s.client.Repository(), err)
	}
	return m, nil
}

func (s *dockerSource) Manifest(ctx context.Context, d digest.Digest) (Manifest, error) {
	if d == "" || d == s.primary.Digest {
		return s.primary, nil
	}
	return s.fetch(ctx, d.String())
}

func (s *dockerSource) Blob(ctx context.Context, d digest.Digest) (io.ReadCloser, int64, error) {
	return s.client.Blob(ctx, d)
}

// BlobFrom opens a blob without its beginning.
func (s *dockerSource) BlobFrom(ctx context.Context, d digest.Digest, from int64) (io.ReadCloser, int64, error) {
	return s.client.BlobFrom(ctx, d, from)
}

// BlobParts opens parts of a blob.
func (s *dockerSource) BlobParts(ctx context.Context, d digest.Digest, size int64, parts []store.Span, from int64) (io.ReadCloser, error) {
	ranges := make([]registry.Range, len(parts))
	for i, p := range parts {
		ranges[i] = registry.Range(p)
	}
	return s.client.BlobRanges(ctx, d, size, ranges, from)
}

// ManyParts tells whether the server sends many parts at once.
func (s *dockerSource) ManyParts() bool { return s.client.ManyRanges() }

func (s *dockerSource) Close() error {
	s.client.Close()
	return nil
}

// RegistryOf gives the connection of a source that is in a registry.
func RegistryOf(s Source) (*registry.Client, bool) {
	d, ok := s.(*dockerSource)
	if !ok {
		return nil, false
	}
	return d.client, true
}

// RepositoryOf tells in which repository of a registry a source or destination
// lies.
func RepositoryOf(place any) (ref.Name, bool) {
	switch p := place.(type) {
	case *dockerSource:
		return p.client.Repository(), true
	case *dockerDestination:
		return p.client.Repository(), true
	}
	return ref.Name{}, false
}

// dockerDestination is a tag or a digest of a repository.
type dockerDestination struct {
	client *registry.Client
	loc    Ref
	signaturePlaces
	from  string                                    // repository of the same registry to mount blobs from
	place func(d digest.Digest, host string) string // where a blob is known to be

	current chan digest.Digest // of the manifest that the tag has now

	mu      sync.Mutex
	uploads map[digest.Digest]*registry.Upload // opened when a mount was refused
	final   *Manifest
}

// createDocker connects, and asks what the tag holds now, while the source is
// still being looked at.
func createDocker(ctx context.Context, l Ref, o Options) (Destination, error) {
	client, err := registry.Open(o.Config, l.Name, o.Registry)
	if err != nil {
		return nil, err
	}
	d := &dockerDestination{client: client, loc: l, signaturePlaces: placesOf(o), uploads: map[digest.Digest]*registry.Upload{}, current: make(chan digest.Digest, 1)}
	go func() {
		// What goes wrong here goes wrong again where it is reported.
		dg, _ := client.ManifestDigest(ctx, l.Name.Identifier())
		d.current <- dg
	}()
	return d, nil
}

// Current is the digest of what the tag holds now, "" for nothing.
func (d *dockerDestination) Current() digest.Digest {
	dg := <-d.current
	d.current <- dg
	return dg
}

func (d *dockerDestination) WantsCompressed() bool { return true }

// VerifiesContent holds of every registry: an upload is closed under its
// digest.
func (d *dockerDestination) VerifiesContent() {}

// MountFrom notes where blobs can be had without sending them.
func (d *dockerDestination) MountFrom(s Source, place func(digest.Digest, string) string) {
	d.place = place
	src, ok := s.(*dockerSource)
	if ok && src.client.Repository().Domain == d.client.Repository().Domain && src.client.Repository() != d.client.Repository() {
		d.from = src.client.Repository().Path
	}
}

// Reuse looks for the blob in the repository, and for a repository that it can
// be mounted from. One that is known to have it is asked at once.
func (d *dockerDestination) Reuse(ctx context.Context, dg digest.Digest, _ int64) (bool, error) {
	from := d.from
	if from == "" {
		ok, _, err := d.client.HasBlob(ctx, dg)
		if err != nil || ok {
			return ok, err
		}
		if d.place != nil {
			from = d.place(dg, d.client.Repository().Domain)
		}
		if from == "" || from == d.client.Repository().Path {
			return false, nil
		}
	}
	u, mounted, err := d.client.StartUpload(ctx, dg, from)
	if err != nil || mounted {
		return mounted, err
	}
	d.mu.Lock()
	d.uploads[dg] = u
	d.mu.Unlock()
	return false, nil
}

// takeUpload gives the upload that a refused mount left open.
func (d *dockerDestination) takeUpload(dg digest.Digest) *registry.Upload {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := d.uploads[dg]
	delete(d.uploads, dg)
	return u
}

func (d *dockerDestination) Put(ctx context.Context, c Content) error {
	u := d.takeUpload(c.Digest)
	if u == nil {
		var err error
		if u, _, err = d.client.StartUpload(ctx, "", ""); err != nil {
			return err
		}
	}
	var err error
	if c.Digest != "" && c.Size >= 0 {
		err = u.Put(ctx, c.Digest, c.Size, c.Reader)
	} else {
		err = u.Stream(ctx, c.Reader, func() digest.Digest { sum, _ := c.Sum(); return sum })
	}
	if err != nil {
		u.Cancel(context.WithoutCancel(ctx))
	}
	return err
}

func (d *dockerDestination) PutManifest(ctx context.Context, m Manifest, instance bool) error {
	if instance || d.loc.UnknownDigest {
		return d.client.PutManifest(ctx, m.Digest.String(), m)
	}
	if want := d.loc.Name.Digest; want != "" && want != m.Digest {
		return errdef.Newf(errdef.ErrInvalid, "the manifest has the digest %s, not the one the destination names", m.Digest)
	}
	d.final = &m
	return nil
}

// Commit gives the image its tag, as the last thing.
func (d *dockerDestination) Commit(ctx context.Context) error {
	if d.final == nil {
		return nil
	}
	return d.client.PutManifest(ctx, d.loc.Name.Identifier(), *d.final)
}

func (d *dockerDestination) Close() error {
	for _, u := range d.uploads {
		u.Cancel(context.Background())
	}
	d.client.Close()
	return nil
}
