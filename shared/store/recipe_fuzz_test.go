package store

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/store/unpack"
)

// FuzzRecipe: whatever a blob's table of contents and tar-split say, they are
// refused, or the parts that are to be fetched are in the blob, in order and apart
// from each other; and what is made of those ends.
func FuzzRecipe(f *testing.F) {
	toc, split, blob := chunkedContents(f)
	f.Add(toc, split, blob, int64(1))
	f.Add(bytes.Replace(toc, []byte("}]"), []byte(`}],"entries":[{"type":"reg","size":1,"offset":1,"endOffset":2}]`), 1), split, blob, int64(512))
	f.Add([]byte(`{"entries":[{"type":"reg","size":9223372036854775807,"offset":0,"endOffset":9223372036854775807}]}`),
		[]byte(`{"type":1,"size":9223372036854775807,"payload":"AAAAAAAAAAA="}`), []byte{}, int64(512))
	f.Add([]byte(`{"entries":[{"type":"reg","size":1,"offset":1,"endOffset":2}]}`),
		[]byte(`{"type":2,"payload":"","size":1,"type":1,"payload":"AAAAAAAAAAA="}`), blob, int64(1))
	two := []byte(`{"type":1,"size":1,"payload":"AAAAAAAAAAA="}` + "\n" + `{"type":1,"size":1,"payload":"AAAAAAAAAAA="}`)
	f.Add([]byte(`{"entries":[{"type":"reg","size":1,"offset":9,"endOffset":12}],"entries":[{"type":"reg","size":1,"offset":1,"endOffset":2}]}`), two, blob, int64(1))
	f.Add([]byte(`{"entries":[{"type":"reg","size":1,"offset":9,"endOffset":12},{"type":"reg","size":1,"offset":20,"endOffset":1099511627776}]}`), two, blob, int64(1))
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	s := &Store{opts: Options{ImageStore: f.TempDir()}}
	f.Fuzz(func(t *testing.T, toc, split, blob []byte, gap int64) {
		end := int64(len(blob))
		table, err := readTOC(enc.EncodeAll(toc, nil), end)
		if err != nil {
			return
		}
		r := &Recipe{s: s, split: enc.EncodeAll(split, nil)}
		files, err := r.files(table)
		if err != nil {
			return
		}
		r.places = make([]unpack.Place, len(files))
		for i := range files {
			r.places[i].Layer = -1
			r.spans = append(r.spans, table.files[i].Span)
		}
		gap = max(gap, 1)
		var parts bytes.Buffer
		last := -gap
		for _, p := range r.Missing(gap) {
			if p.From-last < gap || p.Len() <= 0 || p.To > end {
				t.Fatalf("bytes %d-%d of %d after %d", p.From, p.To, end, last)
			}
			last = p.To
			parts.Write(blob[p.From:p.To])
		}
		tar, err := r.Tar(gap, &parts)
		if err != nil {
			return
		}
		_, err = io.CopyN(io.Discard, tar, 32<<20)
		if cerr := tar.Close(); err == nil && cerr != nil {
			t.Error(cerr)
		}
	})
}

// chunkedContents gives a layer's table of contents and tar-split, uncompressed, and its
// blob.
func chunkedContents(f *testing.F) (toc, split, blob []byte) {
	f.Helper()
	var layer, out bytes.Buffer
	tw := tar.NewWriter(&layer)
	for _, name := range []string{"a", "b", "c"} {
		data := bytes.Repeat([]byte(name), 1000)
		err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg})
		if _, werr := tw.Write(data); errors.Join(err, werr) != nil {
			f.Fatal(err, werr)
		}
	}
	z, notes, err := CompressChunked(&out, 1)
	if err == nil {
		err = tw.Close()
		_, werr := z.Write(layer.Bytes())
		err = errors.Join(err, werr, z.Close())
	}
	if err != nil {
		f.Fatal(err)
	}
	at, ok := ChunkedAt(notes, int64(out.Len()))
	dec, derr := zstd.NewReader(nil)
	if !ok || derr != nil || digest.FromBytes(out.Bytes()[at.TOC.From:at.TOC.To]) != at.tocDigest {
		f.Fatal(notes, derr)
	}
	plain := func(s Span) []byte {
		data, err := dec.DecodeAll(out.Bytes()[s.From:s.To], nil)
		if err != nil {
			f.Fatal(err)
		}
		return data
	}
	return plain(at.TOC), plain(at.Split), out.Bytes()
}
