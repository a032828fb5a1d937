package imgcopy

import (
	"context"
	"strings"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
)

// AllTags lists the names that a repository has images under. It may be named
// as a docker:// reference.
func AllTags(ctx context.Context, cfg *config.Config, name string, o PullOptions) ([]string, error) {
	n, err := ref.Parse(name)
	if ref.HasTransport(name) {
		repository, ok := strings.CutPrefix(name, ref.Docker+"://")
		if !ok {
			transport, _, _ := strings.Cut(name, ":")
			return nil, errdef.Newf(errdef.ErrUnsupported, "pulling all tags is not supported for %s transport", transport)
		}
		n, err = ref.ParseNormalized(repository)
	}
	switch {
	case err != nil:
		return nil, errdef.Newf(errdef.ErrInvalid, "parsing reference %q: %s", name, strings.TrimPrefix(err.Error(), "invalid reference format: "))
	case n.Tag != "" || n.Digest != "":
		return nil, errdef.Newf(errdef.ErrInvalid, "pull all tags of %q: give the repository without a tag", name)
	}
	candidates, err := ResolveRemote(ctx, cfg, n, o.Choose)
	if err != nil {
		return nil, err
	}
	repository := candidates.Names[0].Repository()
	client, err := registry.Open(cfg, repository, o.Registry)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	tags, err := client.Tags(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(tags))
	for i, tag := range tags {
		names[i] = repository.WithTag(tag).String()
	}
	return names, nil
}
