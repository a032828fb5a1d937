// Package container is podman's commands for containers, a file per command.
// Each constructor is called twice: for the top level and for `podman
// container`. It imports the engine, app and shared packages.
package container
