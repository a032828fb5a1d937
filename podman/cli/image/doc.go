// Package image is podman's commands for images and registries, a file per
// command. Constructors are called twice: for the top level and for `podman
// image`. It imports the engine, app and shared packages.
package image
