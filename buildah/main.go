// buildah builds images, without a daemon.
package main

import (
	"os"

	"github.com/podsuite/podsuite/buildah/cli"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/store"
)

func main() {
	if store.MaybeInit() {
		return
	}
	os.Exit(cliout.Main("buildah", cli.NewRoot(), cliout.MainOptions{}))
}
