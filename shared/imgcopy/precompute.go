package imgcopy

import (
	"context"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/transport"
)

// precomputed puts content whose digest comes out as it is read into a file
// first, and sends it only if the destination does not have it.
func (c *copier) precomputed(ctx context.Context, d v1.Descriptor, r io.Reader, bar cliout.Bar) (v1.Descriptor, error) {
	tmp, err := os.CreateTemp(c.Destination.Config.Engine.ImageCopyTmpDir, "podsuite-layer-")
	if err != nil {
		return d, fmt.Errorf("keep a layer until its digest is known: %w", err)
	}
	os.Remove(tmp.Name()) //nolint:errcheck // it only lives as long as this process
	defer tmp.Close()
	h := newSummer(&counted{ctx, r, bar})
	if _, err := io.Copy(tmp, h); err != nil {
		return d, fmt.Errorf("keep a layer until its digest is known: %w", err)
	}
	sum, size := h.sum()
	have, err := c.reuse(ctx, sum, size)
	if err != nil {
		return d, err
	}
	if !have {
		if _, err := tmp.Seek(0, io.SeekStart); err != nil {
			return d, err
		}
		err = c.put(ctx, transport.Content{
			Digest: sum, Size: size, Reader: tmp, Layer: true,
			Sum: func() (digest.Digest, int64) { return sum, size },
		})
		if err != nil {
			return d, err
		}
	}
	d.Size, d.Annotations = size, annotated(d.Annotations, notesOf(r))
	d.Digest, err = v1.NewHash(sum.String())
	return d, err
}
