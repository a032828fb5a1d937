package imgcopy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/encryption"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/transport"
	"github.com/podsuite/podsuite/shared/trust"
)

// When to pull although an image is there, or not although it isn't.
const (
	PullMissing = "missing"
	PullAlways  = "always"
	PullNewer   = "newer"
	PullNever   = "never"
)

// PullOptions adjust Pull.
type PullOptions struct {
	Policy           string // PullMissing, PullAlways, PullNewer, PullNever; "" is PullAlways
	Platform         v1.Platform
	Registry         registry.Options // Retries 0 means as configured, below 0 none
	Keys             *encryption.Keys // decrypt the image; nil: none
	PolicyFile       string           // policy.json; "" is the configured one
	RemoveSignatures bool             // don't store the image's signatures
	Progress         cliout.Progress  // nil: none
	Parallel         int              // 0: as configured
	KeepPlatform     bool             // an image that is there counts whatever its platform is
	Choose           Chooser          // asks which image a short name means; nil: nobody can be asked
}

// Pull makes the image that name stands for part of the store and gives its
// ID. name is a short or full name, or a transport:details reference.
func Pull(ctx context.Context, st *store.Store, cfg *config.Config, name string, o PullOptions) (string, error) {
	if o.Progress == nil {
		o.Progress = cliout.NewProgress(nil, "none")
	}
	if ref.HasTransport(name) {
		l, err := ref.ParseTransport(name)
		if err != nil {
			return "", err
		}
		if l.Transport != ref.Docker {
			return pullFrom(ctx, st, cfg, l, localNames(l), o)
		}
		name = l.Name.String()
	}
	n, err := ref.Parse(name)
	if err != nil {
		return "", fmt.Errorf("parse image name %q: %w", name, err)
	}
	if id, done, err := policyID(st, cfg, name, o); done || err != nil {
		return id, err
	}
	candidates, err := ResolveRemote(ctx, cfg, n, o.Choose)
	if err != nil {
		return "", err
	}
	if candidates.Said != "" {
		o.Progress.Say(candidates.Said)
	}
	id, err := pullFirst(ctx, st, cfg, candidates.Names, o)
	if err == nil {
		return id, candidates.Record()
	}
	if o.Policy == PullNewer {
		if img, lerr := ResolveLocal(st, cfg, name); lerr == nil {
			return img.ID, nil
		}
	}
	return id, err
}

// policyID gives the image that is there, if the policy is content with it.
func policyID(st *store.Store, cfg *config.Config, name string, o PullOptions) (id string, done bool, err error) {
	switch o.Policy {
	case PullAlways, "", PullNewer:
		return "", false, nil
	case PullMissing, PullNever:
	default:
		return "", false, errdef.Newf(errdef.ErrInvalid, "unsupported pull policy %q", o.Policy)
	}
	img, err := ResolveLocal(st, cfg, name)
	if err == nil {
		img, err = ForPlatform(st, img, o.Platform)
	}
	switch {
	case err == nil && (o.KeepPlatform || hasPlatform(st, img, o.Platform)):
		return img.ID, true, nil
	case err != nil && !errors.Is(err, errdef.ErrNotFound):
		return "", false, err
	case o.Policy == PullNever:
		return "", false, err
	}
	return "", false, nil
}

// pullFirst tries the candidates one after the other.
func pullFirst(ctx context.Context, st *store.Store, cfg *config.Config, candidates []ref.Name, o PullOptions) (string, error) {
	var failed []error
	for _, n := range candidates {
		o.Progress.Say(fmt.Sprintf("Trying to pull %s...", n))
		l := ref.Location{Transport: ref.Docker, Name: n, Index: -1}
		id, err := pullFrom(ctx, st, cfg, l, []string{n.String()}, o)
		if err == nil || ctx.Err() != nil {
			return id, err
		}
		failed = append(failed, fmt.Errorf("unable to copy from source docker://%s: %w", n, err))
	}
	if len(failed) == 1 {
		return "", failed[0]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d errors occurred while pulling:", len(failed))
	for _, err := range failed {
		fmt.Fprintf(&b, "\n * %v", err)
	}
	return "", &joined{b.String(), failed}
}

// joined is several errors under one text.
type joined struct {
	text string
	errs []error
}

func (j *joined) Error() string   { return j.text }
func (j *joined) Unwrap() []error { return j.errs }

// pullFrom copies one image into the store under the names.
func pullFrom(ctx context.Context, st *store.Store, cfg *config.Config, l ref.Location, names []string, o PullOptions) (string, error) {
	policy, err := trust.Load(cfg, o.PolicyFile)
	if err != nil {
		return "", fmt.Errorf("loading trust policy: %w", err)
	}
	if o.Registry.RetryDelay == 0 {
		o.Registry.RetryDelay = cfg.Engine.RetryPause()
	}
	opts := Options{
		Policy: policy, Sign: SignOptions{Remove: o.RemoveSignatures}, Keys: o.Keys,
		Source:   transport.Options{Config: cfg, Registry: o.Registry, Store: st},
		Platform: o.Platform, Progress: o.Progress, Parallel: o.Parallel, Retries: retries(cfg, o.Registry),
	}
	opts.Source.Registry.Retries = 0
	opts.Destination.Config = cfg
	if opts.Parallel == 0 {
		opts.Parallel = int(cfg.Engine.ImageParallelCopies)
	}
	opts.complete()
	c, err := newCopier(transport.Ref{Transport: ref.ContainersStorage}, l, opts)
	if err != nil {
		return "", err
	}
	from, err := transport.OpenSource(ctx, l, opts.Source)
	if err != nil {
		return "", fmt.Errorf("initializing source %s: %w", l, err)
	}
	defer from.Close()
	if o.Policy == PullNewer {
		if id, same := sameImage(ctx, st, from, names); same {
			return id, nil
		}
	}
	c.src, c.dst = from, transport.IntoStore(st, names)
	res, err := c.run(ctx)
	return res.ImageID, err
}

// retries turns the options' count into a number of further attempts.
func retries(cfg *config.Config, o registry.Options) int {
	if o.Retries == 0 {
		return int(min(cfg.Engine.Retry, maxRetries))
	}
	return max(o.Retries, 0)
}

// sameImage tells whether the store has, under the name, what the source has.
func sameImage(ctx context.Context, st *store.Store, from transport.Source, names []string) (string, bool) {
	if len(names) == 0 {
		return "", false
	}
	img, err := st.Image(names[0])
	if err != nil {
		return "", false
	}
	m, err := from.Manifest(ctx, "")
	if err != nil || !m.MediaType.IsImage() {
		return "", false
	}
	parsed, err := transport.ParseImage(m.Bytes)
	return img.ID, err == nil && parsed.Config.Digest.Hex == img.ID
}

// localNames are the names that an image from elsewhere than a registry gets.
func localNames(l ref.Location) []string {
	name := l.Image
	switch {
	case !l.Name.IsZero():
		return []string{l.Name.String()}
	case l.Transport == ref.ContainersStorage || name == "" && l.Transport != ref.Dir:
		return nil
	case l.Transport == ref.Dir:
		name = strings.TrimLeft(strings.ToLower(l.Path), "./")
	}
	n, err := ref.Parse(name)
	if err != nil {
		return nil
	}
	return []string{n.Here().String()}
}
