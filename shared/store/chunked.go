package store

import (
	"io"

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
