// podman runs and manages containers, without a daemon.
package main

import (
	"os"
	"runtime/debug"

	"github.com/podsuite/podsuite/podman/cli"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/store"
)

func main() {
	// Most commands end before they have used 16 MB: no collection is worth
	// its time before that.
	debug.SetGCPercent(400)
	if store.MaybeInit() {
		return
	}
	os.Exit(cliout.Main("podman", cli.NewRoot(os.Args[1:]), cliout.MainOptions{}))
}
