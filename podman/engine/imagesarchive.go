package engine

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store/unpack"
	"github.com/podsuite/podsuite/shared/transport"
)

// The forms in which an image can be saved.
const (
	SaveDockerArchive = "docker-archive"
	SaveOCIArchive    = "oci-archive"
	SaveDockerDir     = "docker-dir"
	SaveOCIDir        = "oci-dir"
)

// SaveImageRequest writes images to a file or directory.
type SaveImageRequest struct {
	Image        string
	More         []string // further names that a docker-archive shall have for it or, with Many, further images
	Many         bool
	Format       string
	Output       string    // path; "" is Stdout
	Stdout       io.Writer // archives only
	Compress     bool      // layers of a docker-dir
	Uncompressed bool      // layers of an OCI layout stay as they are in the store
	Progress     cliout.Progress
}

// SaveImage writes images to a file or directory.
func (e *Engine) SaveImage(ctx context.Context, req SaveImageRequest) error {
	switch req.Format {
	case SaveDockerArchive, SaveOCIArchive, SaveDockerDir, SaveOCIDir:
	default:
		return errdef.Newf(errdef.ErrInvalid, "format value must be one of oci-dir oci-archive docker-dir docker-archive")
	}
	if req.Many && req.Format != SaveDockerArchive {
		return errdef.Newf(errdef.ErrInvalid, "unsupported format %q for saving multiple images (only docker-archive)", req.Format)
	}
	save := e.saveOne
	if req.Many {
		save = e.saveMany
	}
	if req.Output != "" {
		return e.saveTo(ctx, req, save)
	}
	if stream, err := pipeOf(req.Stdout); err == nil {
		defer stream.Close()
		req.Output = fmt.Sprintf("/proc/self/fd/%d", stream.Fd())
		return e.saveTo(ctx, req, save)
	}
	// Otherwise an archive is made at a place first.
	dir, err := os.MkdirTemp(e.Config.Engine.ImageCopyTmpDir, "podman-save-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	req.Output = filepath.Join(dir, "image.tar")
	if err := e.saveTo(ctx, req, save); err != nil {
		return err
	}
	f, err := os.Open(req.Output)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(req.Stdout, f)
	return err
}

// pipeOf opens the pipe that w writes to once more; not everybody may.
func pipeOf(w io.Writer) (*os.File, error) {
	f, ok := w.(*os.File)
	if !ok {
		return nil, errdef.ErrInvalid
	}
	if fi, err := f.Stat(); err != nil || fi.Mode()&os.ModeNamedPipe == 0 {
		return nil, errdef.ErrInvalid
	}
	return os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_WRONLY, 0)
}

// saveTo writes the images and tells of it.
func (e *Engine) saveTo(ctx context.Context, req SaveImageRequest, save func(context.Context, SaveImageRequest) error) error {
	if err := save(ctx, req); err != nil {
		return err
	}
	if img, err := e.LookupImage(req.Image); err == nil {
		e.event(imageEvent(img.ID, req.Output, "save"))
	}
	return nil
}

// saveOptions are the options of a copy out of the store.
func (e *Engine) saveOptions(req SaveImageRequest) imgcopy.Options {
	// A signature says nothing of what comes out of an archive again.
	leave := imgcopy.SignOptions{Remove: true}
	o := imgcopy.Options{Progress: req.Progress, Compress: req.Compress, KeepUncompressed: req.Uncompressed, Sign: leave}
	o.Source.Config, o.Source.Store, o.Destination.Config = e.Config, e.Store, e.Config
	return o
}

// saveSource finds an image and the one of its names that it was asked for by;
// there is none if that was its ID.
func (e *Engine) saveSource(image string) (src ref.Location, name ref.Name, err error) {
	img, err := e.LookupImage(image)
	if err != nil {
		return src, name, err
	}
	if have, err := e.ownName(img, image); err == nil && !strings.Contains(have, "@") {
		if name, err = ref.Parse(have); err != nil {
			return src, name, err
		}
	}
	img, err = imgcopy.ForPlatform(e.Store, img, v1.Platform{})
	return ref.Location{Transport: ref.ContainersStorage, Image: img.ID, Index: -1}, name, err
}

func (e *Engine) saveOne(ctx context.Context, req SaveImageRequest) error {
	src, name, err := e.saveSource(req.Image)
	if err != nil {
		return err
	}
	o := e.saveOptions(req)
	dst := ref.Location{Path: req.Output, Index: -1}
	switch req.Format {
	case SaveDockerArchive:
		dst.Transport, dst.Name = ref.DockerArchive, name
		for _, tag := range req.More {
			full, err := newImageName(tag)
			if err != nil {
				return err
			}
			n, err := ref.Parse(full)
			if err != nil {
				return err
			}
			o.Destination.ExtraTags = append(o.Destination.ExtraTags, n)
		}
	case SaveOCIArchive, SaveOCIDir:
		dst.Transport = map[string]string{SaveOCIArchive: ref.OCIArchive, SaveOCIDir: ref.OCI}[req.Format]
		o.Format = imgcopy.FormatOCI
		if !name.IsZero() {
			dst.Image = name.String()
		}
	case SaveDockerDir:
		dst.Transport, o.Format = ref.Dir, imgcopy.FormatV2S2
	}
	_, err = imgcopy.Copy(ctx, dst, src, o)
	return err
}

// saveMany writes several images, each with the names it was asked for by.
func (e *Engine) saveMany(ctx context.Context, req SaveImageRequest) error {
	type saved struct {
		src   ref.Location
		names []ref.Name
	}
	var images []saved
	for _, image := range append([]string{req.Image}, req.More...) {
		src, name, err := e.saveSource(image)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(images, func(s saved) bool { return s.src.Image == src.Image })
		if i < 0 {
			i = len(images)
			images = append(images, saved{src: src})
		}
		if !name.IsZero() && !slices.Contains(images[i].names, name) {
			images[i].names = append(images[i].names, name)
		}
	}
	archive, err := transport.CreateDockerArchive(req.Output, e.Config.Engine.ImageCopyTmpDir)
	if err != nil {
		return err
	}
	defer archive.Close()
	for _, s := range images {
		if _, err := imgcopy.CopyTo(ctx, archive.Image(s.names), s.src, e.saveOptions(req)); err != nil {
			return err
		}
	}
	return archive.Finish(ctx)
}

// LoadImages makes the images of an archive or directory part of the store
// and lists their names; an image without one is named by its ID. An empty
// path is in, which is read to a file first.
func (e *Engine) LoadImages(ctx context.Context, file string, in io.Reader, progress cliout.Progress) ([]string, error) {
	path := first(file, "-")
	if file == "" {
		spooled, err := spool(ctx, in, e.Config.Engine.ImageCopyTmpDir)
		if err != nil {
			return nil, err
		}
		defer spooled.Close()
		file = fmt.Sprintf("/proc/self/fd/%d", spooled.Fd())
	} else if strings.Contains(file, ":") {
		// A colon would end the path in a reference.
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		file = fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	}
	kind, entries, err := e.archiveEntries(file)
	if err != nil {
		return nil, err
	}
	var loaded []string
	for i, tags := range entries {
		names, err := archiveNames(tags)
		if err != nil {
			return loaded, err
		}
		l := kind + ":" + file
		if kind != ref.Dir {
			l += ":@" + strconv.Itoa(i)
		}
		id, err := imgcopy.Pull(ctx, e.Store, e.Config, l, imgcopy.PullOptions{Progress: progress})
		if err != nil {
			return loaded, err
		}
		e.event(imageEvent(id, path, "loadfromarchive"))
		if len(names) == 0 {
			loaded = append(loaded, "sha256:"+id)
			continue
		}
		if err := e.Store.AddImageNames(id, names...); err != nil {
			return loaded, err
		}
		loaded = append(loaded, names...)
	}
	return loaded, nil
}

// archiveNames completes the names of an archive as the tools that write them
// mean them.
func archiveNames(tags []string) ([]string, error) {
	var names []string
	for _, tag := range tags {
		n, err := ref.ParseNormalized(tag)
		if err != nil {
			return nil, fmt.Errorf("parse the image name %q of the archive: %w", tag, err)
		}
		names = append(names, n.Tagged().String())
	}
	return names, nil
}

// spool copies a stream to a nameless file. A read that nothing ends is left
// alone when the context is done.
func spool(ctx context.Context, in io.Reader, dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "podman-load-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(f, in)
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// archiveEntries finds out what the file or directory is, and the names of
// each image in it.
func (e *Engine) archiveEntries(file string) (kind string, entries [][]string, err error) {
	fi, err := os.Stat(file)
	if err != nil {
		return "", nil, err
	}
	unknown := errdef.Newf(errdef.ErrInvalid, "payload does not match any of the supported image formats (docker-archive, oci-archive, oci, dir)")
	if fi.IsDir() {
		if _, err := os.Stat(filepath.Join(file, "index.json")); err == nil {
			index, err := readSmallFile(filepath.Join(file, "index.json"))
			if err != nil {
				return "", nil, err
			}
			entries, err = indexNames(index)
			return ref.OCI, entries, err
		}
		if _, err := os.Stat(filepath.Join(file, "manifest.json")); err == nil {
			return ref.Dir, [][]string{nil}, nil
		}
		return "", nil, unknown
	}
	members, err := archiveMembers(file, "manifest.json", "index.json")
	switch {
	case err != nil:
		return "", nil, errdef.Newf(errdef.ErrInvalid, "%w: %w", unknown, err)
	case members["manifest.json"] != nil:
		entries, err = transport.ArchiveTags(ref.Location{Transport: ref.DockerArchive, Path: file, Index: -1}, transport.Options{Config: e.Config})
		return ref.DockerArchive, entries, err
	case members["index.json"] != nil:
		entries, err = indexNames(members["index.json"])
		return ref.OCIArchive, entries, err
	}
	return "", nil, unknown
}

// maxArchiveList bounds the lists of images in archives, in bytes.
const maxArchiveList = 4 << 20

// archiveMembers reads the wanted members of a tar, plain or compressed.
func archiveMembers(file string, wanted ...string) (map[string][]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, _, err := unpack.Decompress(f)
	if err != nil {
		return nil, err
	}
	found := map[string][]byte{}
	for t := tar.NewReader(r); len(found) < len(wanted); {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		name := path.Clean(h.Name)
		if !slices.Contains(wanted, name) {
			continue
		}
		if found[name], err = io.ReadAll(io.LimitReader(t, maxArchiveList)); err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
	}
	return found, nil
}

func readSmallFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxArchiveList))
}

// indexNames lists the names in the index of an OCI layout.
func indexNames(data []byte) ([][]string, error) {
	var index v1.IndexManifest
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "read index.json: %w", err)
	}
	entries := make([][]string, len(index.Manifests))
	for i, m := range index.Manifests {
		if name := m.Annotations[spec.AnnotationRefName]; strings.ContainsAny(name, "/:") {
			entries[i] = []string{name}
		} else if name != "" { // a tag, or a name without a registry
			entries[i] = []string{"localhost/" + name}
		}
	}
	return entries, nil
}
