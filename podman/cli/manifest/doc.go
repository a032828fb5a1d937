// Package manifest is `podman manifest`, which is buildah's. It imports the
// engine, app and buildah's package of the command.
package manifest
