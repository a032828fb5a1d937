package carried

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Path gives a path by which a new process can execute the program that is open
// as file, while its descriptors are files. done must be called once it was
// started. A new process lays out its descriptors before it executes anything:
// from 0 up to their number, by way of as many above the highest of them. What
// it executes must lie in neither range.
func Path(file *os.File, files []*os.File) (path string, done func(), err error) {
	highest := len(files)
	for _, f := range files {
		highest = max(highest, int(f.Fd()))
	}
	// With room for standard streams and the pipe of an os/exec.Cmd.
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, highest+len(files)+8)
	if err != nil {
		return "", nil, fmt.Errorf("duplicate %q: %w", file.Name(), err)
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), func() { unix.Close(fd) }, nil
}
