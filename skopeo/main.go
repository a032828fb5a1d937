// Command skopeo works with images where they lie: it copies, inspects and
// deletes them in registries, directories and the local store without running
// anything.
package main

import (
	"os"

	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/skopeo/cli"
)

func main() {
	if store.MaybeInit() {
		return
	}
	os.Exit(cli.Main(os.Args[1:]))
}
