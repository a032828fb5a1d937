package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store/unpack"
)

// A layer in zstd:chunked form can be made of files that are here and a few parts
// of its blob. Nothing of what its table of contents and its tar-split say is
// believed: they are a way to guess the layer's tar, which is then unpacked and
// hashed as any other, and must have the diff ID of the image's configuration. So
// it doesn't matter whence a file is taken either: by its size and checksum, which
// every layer's tar-split has, whatever form the layer came in.

// Bounds of what is read of a layer's contents.
const (
	maxFiles     = 100_000   // in one layer
	maxTOC       = 32 << 20  // bytes, uncompressed
	maxSplit     = 256 << 20 // bytes, uncompressed
	maxExpansion = 1 << 15   // bytes that zstd makes of one, at most
	contentsMem  = 16 << 20  // bytes that the decoder may look back
)

// searchShare says how much of other layers' tar-splits is worth to be read for a
// layer: so many bytes of it for one byte of theirs, compressed.
const searchShare = 64

// splitExpansion is what gzip makes of a byte of a tar-split, at most: of those that
// have files in them it makes some 20. Padding can be made that takes a minute.
const splitExpansion = 64

// Recipe is how a layer's tar is put together from parts of its blob and files of
// other layers.
type Recipe struct {
	s      *Store
	split  []byte // compressed
	places []unpack.Place
	layers []string // by their number in places
	spans  []Span   // what is in no layer, in its order
}

// Origin is where an image comes from.
type Origin struct {
	Name string // of the image
	// Within is the registry, or the repository, of whose images the server may learn,
	// from what it isn't asked for, what is here.
	Within string
}

// Recipe finds out how the layer can be made whose contents these are, of the
// layers of images that are within the origin. size is the blob's.
func (s *Store) Recipe(ctx context.Context, from Origin, size int64, at Chunked, toc, split []byte) (*Recipe, error) {
	if got := digest.FromBytes(toc); got != at.tocDigest {
		return nil, errdef.Newf(errdef.ErrInvalid, "the table of contents has the digest %s, not %s", got, at.tocDigest)
	}
	s.planning.Lock()
	defer s.planning.Unlock()
	t, err := readTOC(toc, at.TOC.From)
	if err != nil {
		return nil, err
	}
	if got := digest.FromBytes(split); got != t.split {
		return nil, errdef.Newf(errdef.ErrInvalid, "the tar-split has the digest %s, not %s", got, t.split)
	}
	r := &Recipe{s: s, split: split}
	files, err := r.files(t)
	if err != nil {
		return nil, err
	}
	found, err := r.search(ctx, from, size/searchShare, files)
	if err != nil {
		return nil, err
	}
	r.places = make([]unpack.Place, len(files))
	for i, f := range files {
		place, ok := found[f]
		if !ok || place.Layer < 0 {
			place = unpack.Place{Layer: -1}
			r.spans = append(r.spans, t.files[i].Span)
		}
		r.places[i] = place
	}
	return r, nil
}

// tocFile is a file of a table of contents that isn't empty.
type tocFile struct {
	Span
	size int64
}

type tableOfContents struct {
	files []tocFile // in the order of the tar
	split digest.Digest
}

// readTOC reads what a blob has before the end.
func readTOC(data []byte, end int64) (t tableOfContents, err error) {
	z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(contentsMem))
	if err != nil {
		return t, err
	}
	defer z.Close()
	dec := json.NewDecoder(io.LimitReader(z, maxTOC))
	for depth := 0; ; {
		token, err := dec.Token()
		if err == io.EOF && depth == 0 {
			break
		}
		if err != nil {
			return t, errdef.Newf(errdef.ErrInvalid, "read table of contents: %w", err)
		}
		switch {
		case token == json.Delim('{'):
			depth++
		case token == json.Delim('}'):
			depth--
		case depth == 1 && token == "tarSplitDigest":
			err = dec.Decode(&t.split)
		case depth == 1 && token == "entries":
			err = t.entries(dec, end)
		case depth == 1:
			err = dec.Decode(&json.RawMessage{})
		}
		if err != nil {
			return t, errdef.Newf(errdef.ErrInvalid, "read table of contents: %w", err)
		}
	}
	return t, nil
}

func (t *tableOfContents) entries(dec *json.Decoder, end int64) error {
	if token, err := dec.Token(); err != nil || token != json.Delim('[') {
		return errors.Join(err, errors.New("entries are no list"))
	}
	last := int64(0)
	if n := len(t.files); n > 0 {
		last = t.files[n-1].To // a second list goes on, too
	}
	for dec.More() {
		var e struct {
			Type      string `json:"type"`
			Size      int64  `json:"size"`
			Offset    int64  `json:"offset"`
			EndOffset int64  `json:"endOffset"`
		}
		if err := dec.Decode(&e); err != nil {
			return err
		}
		if e.Type != "reg" || e.Size == 0 {
			continue
		}
		f := tocFile{Span{e.Offset, e.EndOffset}, e.Size}
		if f.From < last || f.To <= f.From || f.To > end || f.size < 0 || f.size/maxExpansion > f.Len() {
			return errdef.Newf(errdef.ErrInvalid, "a file of %d bytes can't be in bytes %d-%d", f.size, f.From, f.To-1)
		}
		if len(t.files) == maxFiles {
			return errdef.Newf(errdef.ErrInvalid, "there are more than %d files", maxFiles)
		}
		last = f.To
		t.files = append(t.files, f)
	}
	_, err := dec.Token()
	return err
}

// entries opens the tar-split.
func (r *Recipe) entries() (*unpack.Split, func(), error) {
	z, err := zstd.NewReader(bytes.NewReader(r.split), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(contentsMem))
	if err != nil {
		return nil, nil, err
	}
	return unpack.NewSplit(io.LimitReader(z, maxSplit)), z.Close, nil
}

// files lists what the tar's files hold. They must be those of the table.
func (r *Recipe) files(t tableOfContents) ([]unpack.Content, error) {
	split, end, err := r.entries()
	if err != nil {
		return nil, err
	}
	defer end()
	files := make([]unpack.Content, 0, len(t.files))
	total := int64(0)
	for {
		f, between, err := split.NextFile()
		if total += between; err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if i := len(files); i == len(t.files) || f.Size != t.files[i].size {
			return nil, errdef.Newf(errdef.ErrInvalid, "the tar-split's file %q of %d bytes is not in the table of contents", f.Name, f.Size)
		}
		total += f.Size
		files = append(files, f.Content)
	}
	if len(files) != len(t.files) {
		return nil, errdef.Newf(errdef.ErrInvalid, "the table of contents has %d files, the tar-split %d", len(t.files), len(files))
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(r.s.imageRoot(), &fs); err == nil && total > int64(fs.Bavail)*fs.Bsize {
		return nil, errdef.Newf(errdef.ErrInvalid, "there is no room for a layer of %d bytes", total)
	}
	return files, nil
}

// search looks for the files in other layers, as long as it may read budget bytes.
// What was not found has the layer -1.
func (r *Recipe) search(ctx context.Context, from Origin, budget int64, files []unpack.Content) (map[unpack.Content]unpack.Place, error) {
	found := make(map[unpack.Content]unpack.Place, len(files))
	for _, f := range files {
		found[f] = unpack.Place{Layer: -1}
	}
	images, err := r.s.lookAlikes(from)
	if err != nil {
		return nil, err
	}
	missing, seen := len(found), map[string]bool{}
	for _, top := range images {
		for id := top; id != "" && !seen[id]; {
			seen[id] = true
			l, err := r.s.lib.Layer(id)
			if err != nil {
				break // it is being removed
			}
			if missing == 0 || ctx.Err() != nil {
				return found, ctx.Err()
			}
			budget -= r.searchLayer(id, budget, found, &missing)
			id = l.Parent
		}
	}
	return found, nil
}

// HasAlike tells whether there are images within the origin.
func (s *Store) HasAlike(from Origin) bool {
	tops, err := s.lookAlikes(from)
	return err == nil && len(tops) > 0
}

// lookAlikes gives the top layers of images within the origin, first those of its
// repository, the newest first.
func (s *Store) lookAlikes(from Origin) ([]string, error) {
	images, err := s.Images()
	if err != nil {
		return nil, err
	}
	repo := repository(from.Name)
	type alike struct {
		Image
		same bool
	}
	var all []alike
	for _, img := range images {
		names := append(slices.Clone(img.Names), img.NamesHistory...)
		is := func(n string) bool { return repository(n) == repo }
		if slices.ContainsFunc(names, is) {
			all = append(all, alike{img, true})
		} else if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, from.Within+"/") }) {
			all = append(all, alike{img, false})
		}
	}
	slices.SortFunc(all, func(a, b alike) int {
		switch {
		case a.same == b.same:
			return b.Created.Compare(a.Created)
		case a.same:
			return -1
		}
		return 1
	})
	tops := make([]string, len(all))
	for i := range all {
		tops[i] = all[i].TopLayer
	}
	return tops, nil
}

// searchLayer notes what the layer has of the files, and how many are missing
// still. It reads no more than budget bytes.
func (r *Recipe) searchLayer(id string, budget int64, found map[unpack.Content]unpack.Place, missing *int) (read int64) {
	root, split, err := r.s.parts(id)
	if root == nil || err != nil {
		return 0 // it is none that has files, or is being removed
	}
	defer root.Close()
	defer split.Close()
	info, err := split.Stat()
	if err != nil || info.Size() > budget {
		return 0
	}
	z, err := gzip.NewReader(split)
	if err != nil {
		return info.Size() // it is damaged, and of no use
	}
	before := *missing
	for entries := unpack.NewSplit(io.LimitReader(z, info.Size()*splitExpansion)); *missing > 0; {
		f, _, err := entries.NextFile()
		if err != nil {
			break
		}
		if p, wanted := found[f.Content]; wanted && p.Layer < 0 {
			found[f.Content] = unpack.Place{Layer: len(r.layers), Name: f.Name}
			*missing--
		}
	}
	if *missing < before {
		r.layers = append(r.layers, id)
	}
	return info.Size()
}

// Missing are the parts of the blob that are needed, in ascending order. Gaps of
// fewer bytes than the given are read over.
func (r *Recipe) Missing(gap int64) []Span {
	var all []Span
	for _, s := range r.spans {
		if n := len(all); n > 0 && s.From-all[n-1].To < gap {
			all[n-1].To = s.To
			continue
		}
		all = append(all, s)
	}
	return all
}

// Tar gives the layer's tar. parts reads what Missing gave for the gap, one part
// after the other. What comes is to be hashed. If a layer that it is made of was
// removed meanwhile, the class of the error is errdef.ErrNotFound.
func (r *Recipe) Tar(gap int64, parts io.Reader) (io.ReadCloser, error) {
	m := &mixed{}
	if err := m.open(r, gap, parts); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// mixed closes what an Assembler works on with it.
type mixed struct {
	*unpack.Assembler
	reading sync.Mutex // a Read may still be under way when nobody waits for it
	roots   []*os.File
	ends    []func()
}

func (m *mixed) open(r *Recipe, gap int64, parts io.Reader) error {
	for _, id := range r.layers {
		root, split, err := r.s.parts(id)
		if err == nil && root == nil {
			err = errdef.Newf(errdef.ErrNotFound, "layer %q is gone", id)
		}
		if err != nil {
			return err
		}
		m.roots = append(m.roots, root)
		split.Close()
	}
	split, end, err := r.entries()
	if err != nil {
		return err
	}
	m.ends = append(m.ends, end)
	z, err := zstd.NewReader(&picker{r: bufio.NewReaderSize(parts, 256<<10), spans: r.spans, gap: gap}, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(unpack.MaxWindow))
	if err != nil {
		return err
	}
	m.ends = append(m.ends, z.Close)
	m.Assembler = unpack.NewMixer(m.roots, split, r.places, z)
	return nil
}

func (m *mixed) Read(p []byte) (int, error) {
	m.reading.Lock()
	defer m.reading.Unlock()
	return m.Assembler.Read(p)
}

func (m *mixed) Close() error {
	m.reading.Lock()
	defer m.reading.Unlock()
	var err error
	if m.Assembler != nil {
		err = m.Assembler.Close()
	}
	for _, end := range m.ends {
		end()
	}
	for _, root := range m.roots {
		err = firstOf(err, root.Close())
	}
	return err
}

// picker reads the spans out of a stream that has them, and the gaps that were
// read over.
type picker struct {
	r     io.Reader
	spans []Span
	gap   int64
	done  int64 // of the first span
}

func (p *picker) Read(b []byte) (int, error) {
	if len(p.spans) == 0 {
		return 0, io.EOF
	}
	s := p.spans[0]
	n, err := p.r.Read(b[:min(int64(len(b)), s.Len()-p.done)])
	if p.done += int64(n); p.done < s.Len() {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, err
	}
	p.spans, p.done = p.spans[1:], 0
	if len(p.spans) > 0 {
		if over := p.spans[0].From - s.To; over > 0 && over < p.gap {
			if _, err := io.CopyN(io.Discard, p.r, over); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}
