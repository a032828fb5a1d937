package runtime

import (
	"os"

	"github.com/opencontainers/runc/libcontainer"
	// Joins the container's namespaces before the Go runtime starts.
	_ "github.com/opencontainers/runc/libcontainer/nsenter"
)

// MaybeInit becomes the container's init, and never returns, when this process
// is the re-execution of its program that the built-in engine makes for each
// container process. It must be the first statement of main in every program
// that opens the built-in engine.
func MaybeInit() {
	if len(os.Args) != 2 || os.Args[1] != "init" || os.Getenv("_LIBCONTAINER_INITPIPE") == "" {
		return
	}
	libcontainer.Init()
}
