package filter

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// instruction is the size of one, in bytes; the kernel takes 4096 at most.
const (
	instruction = 8
	maxProgram  = 4096 * instruction
)

// File gives the path of the program of a profile below dir, a directory of
// this user's alone, and compiles it if it is not there yet.
func File(dir string, s *specs.LinuxSeccomp) (string, error) {
	if err := check(s); err != nil {
		return "", err
	}
	path := filepath.Join(dir, Key(s))
	if _, err := Read(path); err == nil {
		return path, nil
	}
	program, err := compile(s)
	if err != nil {
		return "", fmt.Errorf("compile seccomp profile: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("store seccomp filter: %w", err)
	}
	return path, write(path, program)
}

// write stores a program, its hash before it, so that what a crash or a full
// disk left is not taken for a filter.
func write(path string, program []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "new-")
	if err != nil {
		return fmt.Errorf("store seccomp filter: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("store seccomp filter: %w", err), os.Remove(f.Name()))
		}
	}()
	sum := sha256.Sum256(program)
	_, err = f.Write(append(sum[:], program...))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Read gives a stored program after checking that it is whole, and that no
// other user could have written it.
func Read(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open seccomp filter: %w", err)
	}
	defer f.Close()
	program, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("read seccomp filter: %w", err)
	}
	return program, nil
}

// read gives the program of a file.
func read(f *os.File) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o022 != 0 || int(st.Uid) != os.Geteuid() {
		return nil, errors.New("the file is not this user's own")
	}
	data, err := io.ReadAll(io.LimitReader(f, sha256.Size+maxProgram+1))
	if err != nil {
		return nil, err
	}
	if len(data) <= sha256.Size || len(data) > sha256.Size+maxProgram || len(data)%instruction != 0 {
		return nil, errors.New("the file has not the size of a filter")
	}
	program := data[sha256.Size:]
	if sum := sha256.Sum256(program); !bytes.Equal(sum[:], data[:sha256.Size]) {
		return nil, errors.New("the file is damaged")
	}
	return program, nil
}
