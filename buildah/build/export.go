package build

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/shared/store"
)

// Output is where the files of an image go beside the store.
type Output struct {
	Dest string // a directory; with Tar a file, "-" for standard output
	Tar  bool
}

// Export writes the files of the image to the output.
func Export(ctx context.Context, st *store.Store, id string, o Output) (err error) {
	root, err := st.MountImage(id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.UnmountImage(id, false)) }()
	tree, err := fscopy.OpenTree(root, nil)
	if err != nil {
		return err
	}
	defer tree.Close()
	if !o.Tar {
		if err := os.MkdirAll(o.Dest, 0o755); err != nil {
			return fmt.Errorf("export to %q: %w", o.Dest, err)
		}
		sources, err := tree.List([]string{"."})
		if err == nil {
			err = tree.Copy(ctx, o.Dest, sources, fscopy.Options{Dest: "/"})
		}
		if err != nil {
			return fmt.Errorf("export to %q: %w", o.Dest, err)
		}
		return nil
	}
	out := os.Stdout
	if o.Dest != "-" {
		if out, err = os.Create(o.Dest); err != nil {
			return fmt.Errorf("export to %q: %w", o.Dest, err)
		}
		defer func() { err = errors.Join(err, out.Close()) }()
	}
	if err := tree.WriteTar(ctx, out); err != nil {
		return fmt.Errorf("export to %q: %w", o.Dest, err)
	}
	return nil
}
