// Package manifest is `podman manifest`: the commands for lists of images, a
// file per small group. It imports the engine, app and shared packages.
package manifest
