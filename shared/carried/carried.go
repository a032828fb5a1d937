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
	var fsys unix.Statfs_t
	if unix.Statfs(dir, &fsys) != nil || fsys.Flags&unix.ST_NOEXEC == 0 {
		if path, err := Install(programs, file, dir, name); err == nil {
			if f, err := os.Open(path); err == nil {
				return f, nil
			}
		}
	}
	content, err := fs.ReadFile(programs, file)
	if err != nil {
		return nil, failed(name, err)
	}
	return memfile.Sealed(name, content)
}

func failed(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("this program was built without it: build with make")
	}
	return fmt.Errorf("install %s: %w", name, err)
}

// Install makes sure that the program lies in dir, as Open does, and returns
// its path.
func Install(programs fs.FS, file, dir, name string) (string, error) {
	program, err := programs.Open(file)
	if err != nil {
		return "", failed(name, err)
	}
	defer program.Close()
	info, err := program.Stat()
	if err != nil {
		return "", failed(name, err)
	}
	path := filepath.Join(dir, name+"-"+version(program.(io.ReaderAt), info.Size()))
	if have, err := os.Stat(path); err == nil && have.Size() == info.Size() {
		return path, nil
	}
	if err := install(path, name, program); err != nil {
		return "", fmt.Errorf("install %s: %w", name, err)
	}
	return path, nil
}

// install writes the program beside path and renames it there. Those of other
// versions go: their processes have them open, or mounted, for as long as they
// run.
func install(path, name string, program io.Reader) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".carried-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = io.Copy(tmp, program)
	if err == nil {
		err = tmp.Chmod(0o755)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	old, _ := os.ReadDir(dir)
	for _, e := range old {
		if strings.HasPrefix(e.Name(), name+"-") {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	return os.Rename(tmp.Name(), path)
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
