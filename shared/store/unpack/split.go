package unpack

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
	"path"
	"strconv"
	"unicode/utf8"

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
