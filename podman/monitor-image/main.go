// The program that creates, starts and watches one container. podman carries
// it inside, so that a start costs no second start of a whole podman.
package main

import (
	"os"

	"github.com/podsuite/podsuite/podman/engine/monitor"
)

func main() { monitor.Main(os.Args) }
