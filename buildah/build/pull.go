package build

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
)

// lookUp finds an image in the store, or pulls it, as the request's policy says.
func (b *builder) lookUp(ctx context.Context, name string, p v1.Platform) (store.Image, error) {
	if !ref.HasTransport(name) && !ref.IsHex(name) {
		if _, err := ref.Parse(name); err != nil {
			return store.Image{}, errdef.Newf(errdef.ErrInvalid, "parsing reference %q: %s", name, nameError(err))
		}
	}
	policy := b.req.Pull
	if policy == "" {
		policy = PullMissing
	}
	id, err := imgcopy.Pull(ctx, b.st, b.cfg, name, imgcopy.PullOptions{
		Policy: policy, Progress: b.out.progress(), Registry: b.req.Registry, Platform: p, Keys: b.req.Keys,
		Choose: b.out.chooser(),
	})
	if err != nil {
		return store.Image{}, err
	}
	return b.st.Image(id)
}
