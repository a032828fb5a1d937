// Package monitor starts and talks to the one process that watches a
// container.
//
// The way of a start: the starting command executes a program of a fifth of
// podman's size, the launcher (Prepare, Main), in a session of its own; the
// launcher creates and starts the container through the runtime, so that the
// container's init is its child, answers with the pid, and then becomes the
// monitor (package loop). Commands that come later connect to the container's
// attach socket (Connect). Package wire has what they say to each other, and
// package image carries the program inside podman.
//
// It may import shared packages, loop and wire; the engine imports it.
package monitor
