package store

import (
	"io"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
	"go.podman.io/storage/pkg/chunked/compressor"
)

// ChunkedPrefix begins the annotations that tell of a zstd:chunked layer where
// its table of contents is.
const ChunkedPrefix = "io.github.containers.zstd-chunked."

// CompressChunked compresses a tar, which is what has to be written, so that
// single files of it can be found and fetched: each is a frame of its own, and
// a table of contents follows. The annotations of the layer are complete when
// the writer is closed.
func CompressChunked(w io.Writer, level int) (io.WriteCloser, map[string]string, error) {
	notes := map[string]string{}
	z, err := compressor.ZstdCompressor(w, notes, &level)
	return z, notes, err
}

// Span is a part of a blob, in bytes: From up to To, which it is without.
type Span struct{ From, To int64 }

// Len is the number of bytes.
func (s Span) Len() int64 { return s.To - s.From }

// Chunked says where a zstd:chunked blob has its table of contents, and the
// tar-split that goes with it; that is behind.
type Chunked struct {
	TOC, Split Span
	tocDigest  digest.Digest
}

// maxContents bounds each of the two, in bytes as they come: a hundred thousand
// files have some 5 MB.
const maxContents = 8 << 20

// ChunkedAt reads the annotations of a layer of the size. It is false for one
// that can't be had in parts: without a tar-split nobody knows the layer's tar,
// and so the diff ID, from its files.
func ChunkedAt(notes map[string]string, size int64) (at Chunked, ok bool) {
	toc, split := numbers(notes[ChunkedPrefix+"manifest-position"]), numbers(notes[ChunkedPrefix+"tarsplit-position"])
	at.tocDigest = digest.Digest(notes[ChunkedPrefix+"manifest-checksum"])
	if len(toc) != 4 || toc[3] != 1 || len(split) != 3 || at.tocDigest.Validate() != nil || at.tocDigest.Algorithm() != digest.SHA256 {
		return at, false
	}
	if toc[1] > maxContents || toc[0] > size-toc[1] || split[1] > maxContents || split[0] > size-split[1] {
		return at, false
	}
	at.TOC, at.Split = Span{toc[0], toc[0] + toc[1]}, Span{split[0], split[0] + split[1]}
	return at, at.TOC.Len() > 0 && at.Split.Len() > 0 && at.TOC.To <= at.Split.From
}

// numbers reads N:N:N.
func numbers(s string) []int64 {
	var all []int64
	for field := range strings.SplitSeq(s, ":") {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil || n < 0 {
			return nil
		}
		all = append(all, n)
	}
	return all
}
