package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage"
	drivers "go.podman.io/storage/drivers"
	"go.podman.io/storage/pkg/archive"
	"go.podman.io/storage/pkg/idtools"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store/unpack"
)

// Blob says what is known of a layer's tar before it is read.
type Blob struct {
	Digest digest.Digest // of the stream as it comes; "" = unknown
	DiffID digest.Digest // of the uncompressed tar; "" = unknown
	Size   int64         // bytes of the stream as it comes; -1 = unknown
}

// StagedLayer is a layer that is unpacked and not yet part of the store. It
// must be committed or discarded.
type StagedLayer struct {
	s    *Store
	sums unpack.Sums

	mu     sync.Mutex
	out    *drivers.DriverWithDifferOutput // nil once committed or discarded
	spool  *os.File                        // instead of out, if the driver can't stage
	noRoot bool                            // the tar doesn't have the layer's root
}

// Digest is the digest of the stream as it came.
func (l *StagedLayer) Digest() digest.Digest { return l.sums.Digest }

// DiffID is the digest of the uncompressed tar.
func (l *StagedLayer) DiffID() digest.Digest { return l.sums.DiffID }

// Size is the number of bytes of the stream as it came.
func (l *StagedLayer) Size() int64 { return l.sums.Size }

// UncompressedSize is the number of bytes of the uncompressed tar.
func (l *StagedLayer) UncompressedSize() int64 { return l.sums.UncompressedSize }

// errCantStage says that the driver's configuration has no staging as we do it.
var errCantStage = errors.New("the storage driver cannot stage layers")

// StageLayer reads a layer's tar, plain or compressed (gzip, zstd, bzip2, xz),
// and unpacks it beside the store. What b knows is verified: the class of a
// mismatch is errdef.ErrInvalid. It may run for many layers at once. When it
// fails, nothing is left; a Read of r may be under way until r is closed.
func (s *Store) StageLayer(ctx context.Context, b Blob, r io.Reader) (*StagedLayer, error) {
	s.prune.Do(s.pruneStaging)
	if b.Size > 0 {
		r = &limited{r: r, left: b.Size}
	}
	stream, err := unpack.NewStream(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("stage layer: %w", err)
	}
	defer stream.Close()
	l, err := s.stage(&differ{ctx: ctx, stream: stream})
	if errors.Is(err, errCantStage) {
		l, err = s.spool(stream)
	}
	if err != nil {
		return nil, fmt.Errorf("stage layer: %w", err)
	}
	if err := l.verify(b); err != nil {
		_ = l.Discard()
		return nil, fmt.Errorf("stage layer: %w", err)
	}
	return l, nil
}

// limited fails when more bytes come than the layer is said to have, so that
// a lying server can't fill the disk.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errdef.Newf(errdef.ErrInvalid, "more bytes than the layer is said to have")
	}
	return n, err
}

func (l *StagedLayer) verify(b Blob) error {
	if b.Size >= 0 && b.Size != l.sums.Size && (b.Size > 0 || b.Digest != "") {
		return errdef.Newf(errdef.ErrInvalid, "the layer has %d bytes, not %d", l.sums.Size, b.Size)
	}
	if b.Digest != "" && b.Digest != l.sums.Digest {
		return errdef.Newf(errdef.ErrInvalid, "the layer's digest is %s, not %s", l.sums.Digest, b.Digest)
	}
	if b.DiffID != "" && b.DiffID != l.sums.DiffID {
		return errdef.Newf(errdef.ErrInvalid, "the layer's diff ID is %s, not %s", l.sums.DiffID, b.DiffID)
	}
	return nil
}

// stage runs the differ in a new staging directory.
func (s *Store) stage(d *differ) (*StagedLayer, error) {
	out, err := s.lib.PrepareStagedLayer(&drivers.ApplyDiffWithDifferOpts{}, d)
	if err != nil {
		if out != nil && out.Target != "" {
			if cleanErr := s.lib.CleanupStagedLayer(out); cleanErr != nil {
				err = fmt.Errorf("%w (and remove it: %w)", err, cleanErr)
			}
		}
		if errors.Is(err, storage.ErrNotSupported) {
			err = errCantStage
		}
		return nil, err
	}
	return &StagedLayer{s: s, sums: d.sums, out: out, noRoot: d.noRoot}, nil
}

// differ is what the library calls with a staging directory: it fills it.
type differ struct {
	ctx    context.Context
	stream *unpack.Stream
	// tree, if it is given, replaces the staging directory once the stream,
	// which was made of it, is read; no file is written.
	tree string

	sums   unpack.Sums
	noRoot bool
}

// Close does nothing: who made the stream closes it.
func (d *differ) Close() error { return nil }

// ApplyDiff unpacks the stream to dest.
func (d *differ) ApplyDiff(dest string, o *archive.TarOptions, staging *drivers.DifferOptions) (out drivers.DriverWithDifferOutput, err error) {
	if o.ForceMask != nil || staging.Format != drivers.DifferOutputFormatDir {
		return out, errCantStage
	}
	lock, err := claim(staging.StagingDirectory)
	if err != nil {
		return out, err
	}
	defer func() {
		if err != nil {
			_ = lock.Close()
		}
	}()
	split, err := os.CreateTemp(staging.StagingDirectory, "tar-split-")
	if err != nil {
		return out, err
	}
	_ = os.Remove(split.Name())
	out.TarSplit = split // closed by the library, in whatever way this ends
	res, err := d.unpack(dest, o, split)
	if err != nil {
		return out, err
	}
	if d.sums, err = d.stream.Finish(); err != nil {
		return out, err
	}
	if d.tree != "" {
		if err := replaceTree(dest, d.tree); err != nil {
			return out, err
		}
	}
	d.noRoot = res.RootMode == nil
	out.UIDs, out.GIDs, out.RootDirMode = res.UIDs, res.GIDs, res.RootMode
	out.CompressedDigest, out.UncompressedDigest = d.sums.Digest, d.sums.DiffID
	out.Size = d.sums.UncompressedSize
	out.Artifacts = map[string]any{lockArtifact: lock}
	return out, nil
}

func (d *differ) unpack(dest string, o *archive.TarOptions, split *os.File) (unpack.Result, error) {
	root, err := os.Open(dest)
	if err != nil {
		return unpack.Result{}, err
	}
	defer root.Close()
	uo := unpack.Options{
		InUserNS:          o.InUserNS,
		IgnoreChownErrors: o.IgnoreChownErrors,
		TarSplit:          split,
		Scan:              d.tree != "",
	}
	if o.WhiteoutFormat == archive.OverlayWhiteoutFormat {
		uo.OverlayXattr = strings.TrimSuffix(archive.GetOverlayXattrName("opaque"), "opaque")
	}
	if maps := idtools.NewIDMappingsFromMaps(o.UIDMaps, o.GIDMaps); !maps.Empty() {
		uo.MapIDs = func(uid, gid int) (int, int, error) {
			ids, err := maps.ToHost(idtools.IDPair{UID: uid, GID: gid})
			return ids.UID, ids.GID, err
		}
	}
	return unpack.Layer(d.ctx, root, d.stream, uo)
}

// Commit makes the layer part of the store, on top of the parent ("" = none).
// If the store has it already, that one is returned. Afterwards, also when it
// fails, nothing is staged any more.
func (l *StagedLayer) Commit(parent string) (Layer, error) {
	defer l.Discard()
	id := LayerID(parent, l.sums.DiffID)
	if err := l.s.claimLayer(id, true); err != nil {
		return Layer{}, fmt.Errorf("commit layer %q: %w", id, err)
	}
	// The library would put a staged tree in the place of one that came up
	// meanwhile and is in use by now: keep others out from looking to putting.
	lock, err := l.s.lib.GetDigestLock(digest.NewDigestFromEncoded(digest.SHA256, id))
	if err != nil {
		return Layer{}, fmt.Errorf("commit layer %q: %w", id, err)
	}
	lock.Lock()
	defer lock.Unlock()
	if have, ok := l.s.FindLayer(parent, l.sums.DiffID); ok {
		return have, nil
	}
	lib, err := l.apply(id, parent)
	if err != nil {
		// Another process may have been faster.
		if errors.Is(err, storage.ErrDuplicateID) {
			if have, ok := l.s.FindLayer(parent, l.sums.DiffID); ok {
				return have, nil
			}
		}
		return Layer{}, fmt.Errorf("commit layer %q: %w", id, classify(err))
	}
	return layerOf(lib), nil
}

func (l *StagedLayer) apply(id, parent string) (*storage.Layer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	flags := map[string]any{sizeFlag: l.sums.Size}
	unmapped := storage.LayerIDMappingOptions{HostUIDMapping: true, HostGIDMapping: true}
	switch {
	case l.spool != nil:
		lib, _, err := l.s.lib.PutLayer(id, parent, nil, "", false, &storage.LayerOptions{
			OriginalDigest: l.sums.Digest, OriginalSize: &l.sums.Size, UncompressedDigest: l.sums.DiffID,
		}, l.spool)
		return lib, err
	case l.out == nil:
		return nil, errors.New("it was committed or discarded before")
	}
	if l.noRoot && parent != "" {
		if err := l.rootOwner(parent); err != nil {
			return nil, err
		}
	}
	return l.s.lib.ApplyStagedLayer(storage.ApplyStagedLayerOptions{
		ID: id, ParentLayer: parent, DiffOutput: l.out,
		DiffOptions:  &drivers.ApplyDiffWithDifferOpts{Flags: flags},
		LayerOptions: &storage.LayerOptions{IDMappingOptions: unmapped},
	})
}

// rootOwner gives the layer's root the parent's owner; the library gives it
// the parent's mode.
func (l *StagedLayer) rootOwner(parent string) error {
	dir, err := l.s.lib.DifferTarget(parent)
	if err != nil {
		return nil // in an additional store: root owns it
	}
	uid, gid, _, err := archive.GetFileOwner(dir)
	if err != nil {
		return err
	}
	if int(uid) == os.Geteuid() && int(gid) == os.Getegid() {
		return nil
	}
	return os.Lchown(l.out.Target, int(uid), int(gid))
}

// Discard removes what is staged. After Commit it does nothing.
func (l *StagedLayer) Discard() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spool != nil {
		err := l.spool.Close()
		l.spool = nil
		return err
	}
	if l.out == nil {
		return nil
	}
	err := l.s.lib.CleanupStagedLayer(l.out)
	if lock, ok := l.out.Artifacts[lockArtifact].(*os.File); ok {
		_ = lock.Close()
	}
	l.out = nil
	if err != nil {
		return fmt.Errorf("discard layer: %w", err)
	}
	return nil
}

// spool keeps the tar for a driver without staging, uncompressed and in a file
// without a name.
func (s *Store) spool(stream *unpack.Stream) (_ *StagedLayer, err error) {
	f, err := os.CreateTemp(filepath.Join(s.GraphRoot(), s.Driver()+"-layers"), "spool-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	if _, err := io.Copy(f, stream); err != nil {
		return nil, err
	}
	sums, err := stream.Finish()
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return &StagedLayer{s: s, sums: sums, spool: f}, nil
}
