package unpack

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"path"
	"strconv"
	"unicode/utf8"

	"github.com/vbatts/tar-split/tar/storage"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The kinds of tar-split entries (github.com/vbatts/tar-split, tar/storage).
const (
	splitFile    = 1 // payload: CRC-64 of the file's bytes
	splitSegment = 2 // payload: bytes of the tar that are in no file
)

// splitter writes tar-split's JSON lines, the same bytes as that library's
// packer, which takes several times as long.
type splitter struct {
	w    *bufio.Writer
	line []byte
	pos  int64
	// The paths so far, by a hash that nobody can aim at: themselves, they would
	// take a tenth of a gigabyte for a million files.
	seen map[uint64]struct{}
	seed maphash.Seed
}

func newSplitter(w io.Writer) *splitter {
	return &splitter{w: bufio.NewWriterSize(w, 64<<10), seen: map[uint64]struct{}{}, seed: maphash.MakeSeed()}
}

// segment records bytes of the tar that belong to no file.
func (s *splitter) segment(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	s.begin(splitSegment)
	return s.end(b)
}

// file records a file's place in the tar. A name may come once only: the tar
// is put together again from the files that are there in the end.
func (s *splitter) file(name string, size int64, crc []byte) error {
	clean := path.Clean(name)
	sum := maphash.String(s.seed, clean)
	if _, dup := s.seen[sum]; dup {
		return errdef.Newf(errdef.ErrInvalid, "layer has the path %q twice", clean)
	}
	s.seen[sum] = struct{}{}
	s.begin(splitFile)
	if name != "" {
		if err := s.name(name); err != nil {
			return err
		}
	}
	if size != 0 {
		s.line = append(s.line, `,"size":`...)
		s.line = strconv.AppendInt(s.line, size, 10)
	}
	return s.end(crc)
}

func (s *splitter) begin(kind int64) {
	s.line = append(s.line[:0], `{"type":`...)
	s.line = strconv.AppendInt(s.line, kind, 10)
}

func (s *splitter) name(name string) error {
	switch {
	case !utf8.ValidString(name):
		s.line = append(s.line, `,"name_raw":"`...)
		s.line = base64.StdEncoding.AppendEncode(s.line, []byte(name))
		s.line = append(s.line, '"')
	case plainJSON(name):
		s.line = append(s.line, `,"name":"`...)
		s.line = append(s.line, name...)
		s.line = append(s.line, '"')
	default:
		quoted, err := json.Marshal(name)
		if err != nil {
			return fmt.Errorf("record %q: %w", name, err)
		}
		s.line = append(s.line, `,"name":`...)
		s.line = append(s.line, quoted...)
	}
	return nil
}

// plainJSON says whether JSON has the string as it is.
func plainJSON(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c >= 0x7f, c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}

func (s *splitter) end(payload []byte) error {
	if payload == nil {
		s.line = append(s.line, `,"payload":null`...)
	} else {
		s.line = append(s.line, `,"payload":"`...)
		s.line = base64.StdEncoding.AppendEncode(s.line, payload)
		s.line = append(s.line, '"')
	}
	s.line = append(s.line, `,"position":`...)
	s.line = strconv.AppendInt(s.line, s.pos, 10)
	s.line = append(s.line, '}', '\n')
	s.pos++
	_, err := s.w.Write(s.line)
	return err
}

// maxSplitLine bounds an entry of a tar-split that may be hostile: a piece of
// padding is the largest, a megabyte.
const maxSplitLine = 4 << 20

// Split reads a tar-split, an entry a line.
type Split struct{ lines *bufio.Scanner }

// NewSplit reads what r has, uncompressed.
func NewSplit(r io.Reader) *Split {
	s := &Split{lines: bufio.NewScanner(r)}
	s.lines.Buffer(make([]byte, 64<<10), maxSplitLine)
	return s
}

// Next gives the next entry, and io.EOF after the last.
func (s *Split) Next() (*storage.Entry, error) {
	if !s.lines.Scan() {
		return nil, s.end()
	}
	e := &storage.Entry{}
	if err := json.Unmarshal(s.lines.Bytes(), e); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "read tar-split: %w", err)
	}
	return e, nil
}

func (s *Split) end() error {
	err := s.lines.Err()
	switch err {
	case nil:
		return io.EOF
	case bufio.ErrTooLong:
		return errdef.Newf(errdef.ErrInvalid, "read tar-split: an entry is larger than %d bytes", maxSplitLine)
	}
	return Classify(err)
}

// File is what a tar-split says of a file that isn't empty.
type File struct {
	Name string
	Content
}

// Content tells apart what files hold, unless somebody wants it not to: who
// relies on it must find out.
type Content struct {
	Size int64
	CRC  uint64
}

// NextFile gives the next file that isn't empty, and io.EOF after the last.
// between is the number of the tar's bytes before it, or at its end, that are in
// no file.
func (s *Split) NextFile() (f File, between int64, err error) {
	for s.lines.Scan() {
		line := s.lines.Bytes()
		if rest, ok := bytes.CutPrefix(line, []byte(`{"type":2,"payload":"`)); ok {
			if end := bytes.IndexByte(rest, '"'); end >= 0 {
				between += int64(base64.StdEncoding.DecodedLen(end))
				continue
			}
		}
		var e storage.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return f, 0, errdef.Newf(errdef.ErrInvalid, "read tar-split: %w", err)
		}
		if e.Type != storage.FileType {
			between += int64(len(e.Payload))
			continue
		}
		if e.Size == 0 {
			continue
		}
		if e.Size < 0 || len(e.Payload) != 8 {
			return f, 0, errdef.Newf(errdef.ErrInvalid, "read tar-split: file %q has the size %d and a checksum of %d bytes", e.GetName(), e.Size, len(e.Payload))
		}
		return File{e.GetName(), Content{e.Size, binary.BigEndian.Uint64(e.Payload)}}, between, nil
	}
	return f, between, s.end()
}
