package carried

import (
	"crypto/sha256"
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

// Open opens the program, a file of programs, for execution: from dir, where
// it is installed first when it is not there, under its name and a version
// made of its content. The run root would not do: distributions mount it
// noexec. Where dir is on such a file system, too, or can't be written to, the
// program lies in memory.
// Every start of a container comes here, so the program is read as a whole
// only to be written.
func Open(programs fs.FS, file, dir, name string) (*os.File, error) {
	f, err := open(programs, file, dir, name)
	if err != nil {
		return nil, fmt.Errorf("install %s: %w", name, err)
	}
	return f, nil
}

func open(programs fs.FS, file, dir, name string) (*os.File, error) {
	program, err := programs.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("this program was built without it: build with make")
	}
	if err != nil {
		return nil, err
	}
	defer program.Close()
	info, err := program.Stat()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name+"-"+version(program.(io.ReaderAt), info.Size()))
	var fsys unix.Statfs_t
	if unix.Statfs(dir, &fsys) == nil && fsys.Flags&unix.ST_NOEXEC != 0 {
		return inMemory(name, program)
	}
	if f, err := os.Open(path); err == nil {
		if have, err := f.Stat(); err == nil && have.Size() == info.Size() {
			return f, nil
		}
		f.Close()
	}
	if f, err := install(path, name, program); err == nil {
		return f, nil
	}
	return inMemory(name, io.NewSectionReader(program.(io.ReaderAt), 0, info.Size()))
}

// install writes the program beside path and renames it there. Those of other
// versions go: their processes have them open for as long as they run.
func install(path, name string, program io.Reader) (*os.File, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(dir, ".carried-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = io.Copy(tmp, program)
	if err == nil {
		err = tmp.Chmod(0o755)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return nil, err
	}
	old, _ := os.ReadDir(dir)
	for _, e := range old {
		if strings.HasPrefix(e.Name(), name+"-") {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

func inMemory(name string, program io.Reader) (*os.File, error) {
	content, err := io.ReadAll(program)
	if err != nil {
		return nil, err
	}
	return memfile.Sealed(name, content)
}

// version hashes the head and the tail, where the linker puts the build IDs
// and what else differs from build to build: a whole hash would cost
// milliseconds.
func version(program io.ReaderAt, size int64) string {
	const span = 16 << 10
	h := sha256.New()
	io.Copy(h, io.NewSectionReader(program, 0, span))
	io.Copy(h, io.NewSectionReader(program, max(0, size-span), span))
	fmt.Fprint(h, size)
	return hex.EncodeToString(h.Sum(nil))[:16]
}
