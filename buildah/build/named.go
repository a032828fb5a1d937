package build

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/fetch"
)

// namedContext finds what an additional build context of that name is: a
// directory, which is fetched where it is elsewhere, or the name of an image.
// named is false where there is none.
func (b *builder) namedContext(ctx context.Context, name string) (dir, image string, named bool, err error) {
	where, named := b.req.Contexts[name]
	if !named {
		return "", "", false, nil
	}
	for _, prefix := range []string{"docker-image://", "container-image://", "docker://"} {
		if image, ok := strings.CutPrefix(where, prefix); ok {
			return "", image, true, nil
		}
	}
	if layout, ok := strings.CutPrefix(where, "oci-layout://"); ok {
		return "", "oci:" + layout, true, nil
	}
	if dockerfile.IsGit(where) || fetch.IsURL(where) {
		dir, err := b.fetchContext(ctx, where)
		return dir, "", true, err
	}
	info, err := os.Stat(where)
	if err != nil || !info.IsDir() {
		return "", "", true, errdef.Newf(errdef.ErrInvalid, "additional build context %q: %q is not a directory", name, where)
	}
	dir, err = filepath.Abs(where)
	return dir, "", true, err
}

// fetchContext fetches a context once in a build.
func (b *builder) fetchContext(ctx context.Context, where string) (string, error) {
	b.fetching.Lock()
	defer b.fetching.Unlock()
	if dir := b.contexts[where]; dir != "" {
		return dir, nil
	}
	dir, remove, err := FetchContext(ctx, where, nil, &b.req.Registry)
	if err != nil {
		if remove != nil {
			remove()
		}
		return "", err
	}
	b.removals = append(b.removals, remove)
	if b.contexts == nil {
		b.contexts = map[string]string{}
	}
	b.contexts[where] = dir
	return dir, nil
}
