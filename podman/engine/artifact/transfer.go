package artifact

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/encryption"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
	"github.com/podsuite/podsuite/shared/trust"
)

// TransferOptions adjust Pull and Push.
type TransferOptions struct {
	Registry registry.Options // Retries 0 means none
	Sign     imgcopy.SignOptions
	Keys     *encryption.Keys // Pull: decrypt the artifact
	Progress cliout.Progress
}

// Pull copies an artifact from a registry into the store and gives its digest.
func (s *Store) Pull(ctx context.Context, cfg *config.Config, name string, o TransferOptions) (digest.Digest, error) {
	src, err := remote(name)
	if err != nil {
		return "", err
	}
	policy, err := trust.Load(cfg, "")
	if err != nil {
		return "", fmt.Errorf("loading trust policy: %w", err)
	}
	unlock, err := s.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	dst := ref.Location{Transport: ref.OCI, Path: s.dir, Image: src.Name.String(), Index: -1}
	c := copyOptions(cfg, o)
	c.Policy, c.Keys, c.PreserveDigests = policy, o.Keys, o.Keys == nil
	result, err := imgcopy.Copy(ctx, dst, src, c)
	index, ierr := s.index()
	if ierr == nil {
		ierr = s.clear(index) // a pull that broke off leaves blobs, a newer artifact those of the old
	}
	if err == nil {
		err = ierr
	}
	return result.Digest(), err
}

// Push copies an artifact to the registry that its name says and gives the
// digest that it has there.
func (s *Store) Push(ctx context.Context, cfg *config.Config, name string, o TransferOptions) (digest.Digest, error) {
	index, err := s.index()
	if err != nil {
		return "", err
	}
	i, err := find(index, name)
	if err != nil {
		return "", err
	}
	a, err := s.read(index.Manifests[i])
	if err != nil {
		return "", err
	}
	dst, err := remote(a.Name)
	if err != nil {
		return "", err
	}
	src := ref.Location{Transport: ref.OCI, Path: s.dir, Index: i}
	result, err := imgcopy.Copy(ctx, dst, src, copyOptions(cfg, o))
	return result.Digest(), err
}

// remote is the place of the artifact in a registry.
func remote(name string) (ref.Location, error) {
	n, err := ref.ParseNormalized(name)
	if err != nil {
		return ref.Location{}, errdef.Newf(errdef.ErrInvalid, "parse artifact name %q: %w", name, err)
	}
	return ref.Location{Transport: ref.Docker, Name: n.Tagged(), Index: -1}, nil
}

func copyOptions(cfg *config.Config, o TransferOptions) imgcopy.Options {
	t := transport.Options{Config: cfg, Registry: o.Registry}
	t.Registry.Retries = 0
	return imgcopy.Options{Source: t, Destination: t, Sign: o.Sign, PreserveDigests: true, Progress: o.Progress,
		Parallel: int(cfg.Engine.ImageParallelCopies), Retries: max(o.Registry.Retries, 0), RetryDelay: o.Registry.RetryDelay}
}
