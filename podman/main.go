// podman runs and manages containers, without a daemon.
package main

import (
	"os"

	"github.com/podsuite/podsuite/podman/cli"
	"github.com/podsuite/podsuite/podman/engine/monitor"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

func main() {
	runtime.MaybeInit()
	monitor.MaybeLaunch()
	if store.MaybeInit() {
		return
	}
	os.Exit(cliout.Main("podman", cli.NewRoot(), cliout.MainOptions{}))
}
