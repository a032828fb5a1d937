package artifact

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/shared/errdef"
)

// ExtractRequest copies an artifact's files out of the store.
type ExtractRequest struct {
	Name   string
	Target string // a directory, or a file for one of the artifact's files
	Digest string // only the file with the digest
	Title  string // only the file with the title
}

// Extract copies an artifact's files to the target. Files that are there are
// replaced, each as a whole.
func (s *Store) Extract(ctx context.Context, req ExtractRequest) error {
	if req.Digest != "" && req.Title != "" {
		return errdef.Newf(errdef.ErrInvalid, "cannot specify both digest and title")
	}
	a, err := s.Find(req.Name)
	if err != nil {
		return err
	}
	layers, err := a.choose(req)
	if err != nil {
		return err
	}
	fi, err := os.Stat(req.Target)
	if err != nil || !fi.IsDir() {
		if len(layers) != 1 {
			return errdef.Newf(errdef.ErrInvalid, "the artifact consists of several blobs and the target %q is not a directory and neither digest or title was specified to only copy a single blob", req.Target)
		}
		return s.copyOut(ctx, layers[0].Digest, filepath.Dir(req.Target), filepath.Base(req.Target))
	}
	for _, l := range layers {
		name := strings.ReplaceAll(l.Digest.String(), ":", "-")
		if title := l.Annotations[spec.AnnotationTitle]; title != "" && req.Digest == "" {
			// The title comes with the artifact from anywhere.
			if filepath.Base(title) != title || title == ".." || title == "." {
				return errdef.Newf(errdef.ErrInvalid, "the artifact has a file with the title %q, which is no name for a file: extract it with --digest %s", title, l.Digest)
			}
			name = title
		}
		if err := s.copyOut(ctx, l.Digest, req.Target, name); err != nil {
			return err
		}
	}
	return nil
}

// choose gives the files that are asked for.
func (a *Artifact) choose(req ExtractRequest) ([]spec.Descriptor, error) {
	var found []spec.Descriptor
	for _, l := range a.Manifest.Layers {
		if (req.Digest == "" || l.Digest.String() == req.Digest) && (req.Title == "" || l.Annotations[spec.AnnotationTitle] == req.Title) {
			found = append(found, l)
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case req.Digest != "":
		return nil, errdef.Newf(errdef.ErrNotFound, "no blob with the digest %q", req.Digest)
	case req.Title != "":
		return nil, errdef.Newf(errdef.ErrNotFound, "no blob with the title %q", req.Title)
	}
	return nil, errdef.Newf(errdef.ErrInvalid, "the artifact has no files, nothing to extract")
}

// copyOut writes a file beside its place and moves it there when its content
// has the digest.
func (s *Store) copyOut(ctx context.Context, d digest.Digest, dir, name string) error {
	in, err := s.Blob(d)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(dir, ".extract-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	verifier := d.Verifier()
	if _, err := io.Copy(io.MultiWriter(out, verifier), &interruptible{ctx, in}); err != nil {
		return fmt.Errorf("extract %q: %w", name, err)
	}
	if !verifier.Verified() {
		return errdef.Newf(errdef.ErrInvalid, "extract %q: the stored file does not have the digest %s: remove the artifact and pull or add it again", name, d)
	}
	if err := out.Chmod(0o644); err != nil {
		return err
	}
	return os.Rename(out.Name(), filepath.Join(dir, name))
}
