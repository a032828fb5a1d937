package runtime

import (
	"fmt"
	"os"
	"strconv"

	"github.com/opencontainers/runc/libcontainer"
	// Joins the container's namespaces before the Go runtime starts.
	_ "github.com/opencontainers/runc/libcontainer/nsenter"

	"github.com/podsuite/podsuite/shared/runtime/internal/filter"
)

// filterEnv tells init which of its descriptors is the seccomp program: the
// one that the library offers for a pidfd socket, which we have no use for.
const filterEnv = "_LIBCONTAINER_PIDFD_SOCK"

// MaybeInit becomes the container's init, and never returns, when this process
// is the re-execution of its program that the built-in engine makes for each
// container process. It must be the first statement of main in every program
// that opens the built-in engine.
func MaybeInit() {
	if len(os.Args) != 2 || os.Args[1] != "init" || os.Getenv("_LIBCONTAINER_INITPIPE") == "" {
		return
	}
	if err := adoptFilter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	libcontainer.Init()
}

// adoptFilter takes over the seccomp program that was passed, if any.
func adoptFilter() error {
	text, ok := os.LookupEnv(filterEnv)
	if !ok {
		return nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("find seccomp filter: %w", err)
	}
	f := os.NewFile(uintptr(fd), "seccomp filter")
	defer f.Close()
	if err := filter.Adopt(f); err != nil {
		return err
	}
	return os.Unsetenv(filterEnv)
}
