package fscopy

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Memory remembers the digests of a context's files between builds, for as
// long as path, inode, size and times stay as they were. A nil Memory
// remembers nothing. It is safe for concurrent use.
type Memory struct {
	file string

	mu      sync.Mutex
	known   map[string]record
	changed bool
}

type record struct {
	ino          uint64
	size         int64
	mtime, ctime int64 // ns
	digest       [32]byte
}

const (
	memoryMagic   = "files1\n"
	memoryMaxPath = unix.PathMax
)

// OpenMemory reads the memory kept in the file. One that is missing or damaged
// is empty.
func OpenMemory(file string) *Memory {
	m := &Memory{file: file, known: map[string]record{}}
	f, err := os.Open(file)
	if err != nil {
		return m
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	magic := make([]byte, len(memoryMagic))
	if _, err := io.ReadFull(r, magic); err != nil || string(magic) != memoryMagic {
		return m
	}
	for {
		name, rec, err := readRecord(r)
		if err != nil {
			return m
		}
		m.known[name] = rec
	}
}

func readRecord(r *bufio.Reader) (string, record, error) {
	var rec record
	n, err := binary.ReadUvarint(r)
	if err != nil || n > memoryMaxPath {
		return "", rec, io.ErrUnexpectedEOF
	}
	buf := make([]byte, int(n)+32+32)
	if _, err := io.ReadFull(r, buf); err != nil {
		return "", rec, err
	}
	fields := buf[n:]
	rec.ino = binary.LittleEndian.Uint64(fields)
	rec.size = int64(binary.LittleEndian.Uint64(fields[8:]))
	rec.mtime = int64(binary.LittleEndian.Uint64(fields[16:]))
	rec.ctime = int64(binary.LittleEndian.Uint64(fields[24:]))
	copy(rec.digest[:], fields[32:])
	return string(buf[:n]), rec, nil
}

func writeRecord(w *bufio.Writer, name string, rec record) {
	var buf []byte
	buf = binary.AppendUvarint(buf, uint64(len(name)))
	buf = append(buf, name...)
	buf = binary.LittleEndian.AppendUint64(buf, rec.ino)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(rec.size))
	buf = binary.LittleEndian.AppendUint64(buf, uint64(rec.mtime))
	buf = binary.LittleEndian.AppendUint64(buf, uint64(rec.ctime))
	w.Write(append(buf, rec.digest[:]...)) // the error stays in w until Flush
}

func recordOf(st *unix.Stat_t) record {
	return record{ino: st.Ino, size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano()}
}

// recall fills in the entry's digest if the file is the one remembered.
func (m *Memory) recall(e *Entry) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	rec, ok := m.known[e.Path]
	if !ok {
		return false
	}
	now := recordOf(&e.Stat)
	now.digest = rec.digest
	if now != rec {
		return false
	}
	e.Digest = hex.EncodeToString(rec.digest[:])
	return true
}

// remember keeps the entry's digest. A file that changed a moment ago could
// change once more without its times showing it, so that one is not kept.
func (m *Memory) remember(e *Entry) {
	if m == nil {
		return
	}
	rec := recordOf(&e.Stat)
	settle := 50 * time.Millisecond
	if rec.ctime%int64(time.Second) == 0 { // whole seconds: a file system with coarse times
		settle = 2 * time.Second
	}
	if time.Since(time.Unix(0, rec.ctime)) < settle {
		return
	}
	if n, err := hex.Decode(rec.digest[:], []byte(e.Digest)); err != nil || n != 32 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known[e.Path] = rec
	m.changed = true
}

// Save writes the memory if it changed. It is a help, not a promise: nothing
// is synced to disk.
func (m *Memory) Save() error {
	if m == nil || !m.changed {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(m.file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(m.file), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	w := bufio.NewWriterSize(tmp, 1<<16)
	w.WriteString(memoryMagic)
	for name, rec := range m.known {
		writeRecord(w, name, rec)
	}
	if err := w.Flush(); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), m.file)
}
