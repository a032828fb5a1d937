// Package pod has the commands `podman pod …`. It imports the engine, the
// command line's shared packages and cli/container for what the commands have
// in common with those of containers.
package pod
