package transport

import (
	"bytes"
	"context"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
)

// ociArchive reads an OCI layout in a tar file.
type ociArchive struct {
	t     *tarFile
	entry v1.Descriptor
}

// memberOf is the place of a blob in the archive.
func memberOf(d digest.Digest) string { return "blobs/" + d.Algorithm().String() + "/" + d.Encoded() }

func openOCIArchive(l Ref, o Options) (Source, error) {
	t, err := openTar(l.Path, o.Config.Engine.ImageCopyTmpDir)
	if err != nil {
		return nil, err
	}
	s := &ociArchive{t: t}
	index, err := t.read(indexFile)
	if err == nil {
		s.entry, err = chooseEntry(index, l)
	}
	if err != nil {
		return nil, firstError(err, t.close())
	}
	return s, nil
}

func (s *ociArchive) Manifest(_ context.Context, d digest.Digest) (Manifest, error) {
	declared := types.MediaType("")
	if d == "" {
		d, declared = Digest(s.entry), s.entry.MediaType
	}
	data, err := s.t.read(memberOf(d))
	if err != nil {
		return Manifest{}, err
	}
	return withDigest(data, declared, d)
}

func (s *ociArchive) Blob(_ context.Context, d digest.Digest) (io.ReadCloser, int64, error) {
	return s.t.open(memberOf(d))
}

func (s *ociArchive) Close() error { return s.t.close() }

// ociArchiveDestination writes an OCI layout into a tar file.
type ociArchiveDestination struct {
	w     *tarWriter
	image string
	final Manifest
}

func createOCIArchive(l Ref, o Options) (Destination, error) {
	w, err := createTar(l.Path, o.Config.Engine.ImageCopyTmpDir)
	if err != nil {
		return nil, err
	}
	return &ociArchiveDestination{w: w, image: l.Image}, nil
}

func (d *ociArchiveDestination) WantsCompressed() bool { return true }

// InSequence holds of every archive.
func (d *ociArchiveDestination) InSequence() {}

func (d *ociArchiveDestination) Reuse(context.Context, digest.Digest, int64) (bool, error) {
	return false, nil
}

func (d *ociArchiveDestination) Put(ctx context.Context, c Content) error {
	return d.w.add(ctx, c, memberOf)
}

func (d *ociArchiveDestination) PutManifest(_ context.Context, m Manifest, instance bool) error {
	if !instance {
		d.final = m
	}
	return d.w.member(memberOf(m.Digest), int64(len(m.Bytes)), bytes.NewReader(m.Bytes))
}

func (d *ociArchiveDestination) Commit(ctx context.Context) error {
	index, err := addEntry(nil, d.final, d.image)
	if err != nil {
		return err
	}
	if err := d.w.member(layoutFile, int64(len(layoutMarker)), strings.NewReader(layoutMarker)); err != nil {
		return err
	}
	if err := d.w.member(indexFile, int64(len(index)), bytes.NewReader(index)); err != nil {
		return err
	}
	return d.w.finish(ctx)
}

func (d *ociArchiveDestination) Close() error { return d.w.discard() }
