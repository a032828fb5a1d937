// Package volume is podman's commands for volumes. It imports the engine, app
// and shared packages.
package volume
