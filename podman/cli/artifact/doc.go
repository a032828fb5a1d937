// Package artifact is `podman artifact`, a file per small group of commands. It
// imports the engine, app and shared packages.
package artifact
