package mirror

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
)

// Source is a set of images that belong together: those of a repository or of
// a directory.
type Source struct {
	Images  []ref.Location
	Dir     string            // the directory that was searched; "" in a registry
	Options transport.Options // how the images are reached
}

// FromRegistry is the image that name names, or all that the repository has
// tags for.
func FromRegistry(ctx context.Context, name string, o transport.Options) (Source, error) {
	l, err := location(name)
	if err != nil {
		return Source{}, err
	}
	o.Registry.Pool = &registry.Pool{}
	s := Source{Images: []ref.Location{l}, Options: o}
	if l.Name.Tag != "" || l.Name.Digest != "" {
		return s, nil
	}
	s.Images, err = tagged(ctx, l.Name, o, func(string) bool { return true })
	if err == nil && len(s.Images) == 0 {
		err = errdef.Newf(errdef.ErrNotFound, "No tags found in the repository %s", l.Name)
	}
	return s, err
}

// location reads the name of an image or repository in a registry.
func location(name string) (ref.Location, error) {
	n, err := ref.ParseNormalized(name)
	if err == nil && n.Tag != "" && n.Digest != "" {
		err = errdef.Newf(errdef.ErrInvalid, "Docker references with both a tag and digest are currently not supported")
	}
	if err != nil {
		return ref.Location{}, badReference(name, err)
	}
	return ref.Location{Transport: ref.Docker, Name: n, Index: -1}, nil
}

func badReference(name string, err error) error {
	return errdef.Newf(errdef.ErrInvalid, "Cannot obtain a valid image reference for transport %q and reference %q: %w", ref.Docker, name, err)
}

// tagged lists the repository's images whose tag is wanted.
func tagged(ctx context.Context, repository ref.Name, o transport.Options, wanted func(tag string) bool) ([]ref.Location, error) {
	client, err := registry.Open(o.Config, repository, o.Registry)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	tags, err := client.Tags(ctx)
	if err != nil {
		return nil, fmt.Errorf("Error determining repository tags for repo %s: %w", repository, err)
	}
	var images []ref.Location
	for _, t := range tags {
		// A registry that sends what is no tag doesn't get it back.
		if ref.ValidTag(t) && wanted(t) {
			images = append(images, ref.Location{Transport: ref.Docker, Name: repository.WithTag(t), Index: -1})
		}
	}
	return images, nil
}

// FromDir finds all images of the dir transport at and below dir.
func FromDir(dir string, o transport.Options) (Source, error) {
	s := Source{Dir: dir, Options: o}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && isIncomplete(e.Name()):
			return fs.SkipDir
		case !e.IsDir() && e.Name() == "manifest.json":
			s.Images = append(s.Images, ref.Location{Transport: ref.Dir, Path: filepath.Dir(path), Index: -1})
			return fs.SkipDir // what else lies here are blobs
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("search %q for images: %w", dir, err)
	}
	if len(s.Images) == 0 {
		return s, errdef.Newf(errdef.ErrNotFound, "No images to sync found in %q", dir)
	}
	return s, nil
}

// incompletePath is where an image is written before it takes the place of path.
func incompletePath(path string) string {
	dir, name := filepath.Split(path)
	return filepath.Join(dir, "."+name+".incomplete")
}

func isIncomplete(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".incomplete")
}
