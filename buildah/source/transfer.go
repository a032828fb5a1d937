package source

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
	"github.com/podsuite/podsuite/shared/trust"
)

// TransferOptions adjust Pull and Push.
type TransferOptions struct {
	Registry registry.Options
	Progress cliout.Progress
}

// Push copies the source image at the path to a registry and gives its digest.
func Push(ctx context.Context, cfg *config.Config, path, name string, o TransferOptions) (digest.Digest, error) {
	to, err := remote(name)
	if err != nil {
		return "", err
	}
	from, err := transport.OpenSource(ctx, layoutAt(path), transport.Options{})
	if err != nil {
		return "", err
	}
	defer from.Close()
	if _, err := Read(ctx, from); err != nil {
		return "", fmt.Errorf("%q: %w", path, err)
	}
	result, err := imgcopy.CopyFrom(ctx, to, from, o.copying(cfg))
	return result.Digest(), err
}

// Pull copies a source image from a registry to the path, which must be free.
func Pull(ctx context.Context, cfg *config.Config, name, path string, o TransferOptions) error {
	from, err := remote(name)
	if err != nil {
		return err
	}
	c := o.copying(cfg)
	if c.Policy, err = trust.Load(cfg, ""); err != nil {
		return fmt.Errorf("loading trust policy: %w", err)
	}
	there, err := transport.OpenSource(ctx, from, c.Source)
	if err != nil {
		return err
	}
	defer there.Close()
	if _, err := Read(ctx, there); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	return publish(path, func(dir string) error {
		_, err := imgcopy.Copy(ctx, layoutAt(dir), from, c)
		return err
	})
}

// remote is a place in a registry.
func remote(name string) (ref.Location, error) {
	n, err := ref.ParseNormalized(name)
	if err != nil {
		return ref.Location{}, errdef.Newf(errdef.ErrInvalid, "parse name of source image %q: %w", name, err)
	}
	return ref.Location{Transport: ref.Docker, Name: n.Tagged(), Index: -1}, nil
}

func (o *TransferOptions) copying(cfg *config.Config) imgcopy.Options {
	t := transport.Options{Config: cfg, Registry: o.Registry}
	return imgcopy.Options{Source: t, Destination: t, PreserveDigests: true, Progress: o.Progress, Parallel: int(cfg.Engine.ImageParallelCopies)}
}
