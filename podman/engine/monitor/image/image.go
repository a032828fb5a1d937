// Package image carries the program that launches and watches containers
// inside podman, and puts it where it can be executed.
package image

import (
	"embed"
	"os"

	"github.com/podsuite/podsuite/shared/carried"
)

// program holds the image, put there by `make build`.
//
//go:embed all:program
var program embed.FS

// Open opens the image for execution, from dir, where it is installed first
// when it is not there.
func Open(dir string) (*os.File, error) {
	return carried.Open(program, "program/monitor", dir, "podman-monitor")
}
