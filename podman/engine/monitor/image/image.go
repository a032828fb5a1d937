// Package image carries the program that launches and watches containers
// inside podman, and puts it where it can be executed.
package image

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/podsuite/podsuite/shared/memfile"
	"golang.org/x/sys/unix"
)

// program holds the image, put there by `make build`.
//
//go:embed all:program
var program embed.FS

// namePrefix is what the installed images' names begin with; their content
// makes the rest.
const namePrefix = "podman-monitor-"

// Open opens the image for execution, from dir, where it is installed first
// when it is not there. The run root would not do: distributions mount it
// noexec. Where dir is on such a file system, too, or can't be written to, the
// image lies in memory.
// Every start of a container comes here, so the image is read as a whole only
// to be written.
func Open(dir string) (*os.File, error) {
	f, err := open(dir)
	if err != nil {
		return nil, fmt.Errorf("install the monitor: %w", err)
	}
	return f, nil
}

func open(dir string) (*os.File, error) {
	image, err := program.Open("program/monitor")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("this podman was built without it: build with make")
	}
	if err != nil {
		return nil, err
	}
	defer image.Close()
	info, err := image.Stat()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, namePrefix+version(image.(io.ReaderAt), info.Size()))
	var fsys unix.Statfs_t
	if unix.Statfs(dir, &fsys) == nil && fsys.Flags&unix.ST_NOEXEC != 0 {
		return inMemory(image)
	}
	if f, err := os.Open(path); err == nil {
		if have, err := f.Stat(); err == nil && have.Size() == info.Size() {
			return f, nil
		}
		f.Close()
	}
	if f, err := install(path, image); err == nil {
		return f, nil
	}
	return inMemory(io.NewSectionReader(image.(io.ReaderAt), 0, info.Size()))
}

// install writes the image beside path and renames it there. Images of other
// versions go: their monitors have them open for as long as they run.
func install(path string, image io.Reader) (*os.File, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(dir, ".monitor-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = io.Copy(tmp, image)
	if err == nil {
		err = tmp.Chmod(0o755)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return nil, err
	}
	old, _ := os.ReadDir(dir)
	for _, e := range old {
		if strings.HasPrefix(e.Name(), namePrefix) {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

func inMemory(image io.Reader) (*os.File, error) {
	content, err := io.ReadAll(image)
	if err != nil {
		return nil, err
	}
	return memfile.Sealed("podman-monitor", content)
}

// version hashes the head and the tail, where the linker puts the build IDs
// and what else differs from build to build: a whole hash would cost
// milliseconds.
func version(image io.ReaderAt, size int64) string {
	const span = 16 << 10
	h := sha256.New()
	io.Copy(h, io.NewSectionReader(image, 0, span))
	io.Copy(h, io.NewSectionReader(image, max(0, size-span), span))
	fmt.Fprint(h, size)
	return hex.EncodeToString(h.Sum(nil))[:16]
}
