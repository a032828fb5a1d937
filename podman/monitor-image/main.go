// The lean image that watches one container for as long as it lives. podman
// carries it inside and becomes it once the container runs: children, pids
// and open files stay, and the memory of a whole podman goes.
package main

import (
	"os"

	"github.com/podsuite/podsuite/podman/engine/monitor/loop"
	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
)

func main() {
	spec, ok := wire.ParseSpec(os.Args[1:])
	if !ok {
		os.Stderr.WriteString("podman-monitor: started by podman only\n")
		os.Exit(2)
	}
	loop.Run(spec)
}
