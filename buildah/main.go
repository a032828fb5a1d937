// buildah builds images, without a daemon.
package main

import (
	"os"

	"github.com/podsuite/podsuite/buildah/cli"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/runtime"
)

func main() {
	runtime.MaybeInit()
	os.Exit(cliout.Main("buildah", cli.NewRoot(), cliout.MainOptions{}))
}
