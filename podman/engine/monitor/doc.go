// Package monitor starts and talks to the one process that watches a
// container.
//
// The way of a start: the starting command (Start) runs a copy of itself, the
// launcher (MaybeLaunch), in a session of its own; the launcher creates and
// starts the container through the runtime, so that the container's init is
// its child, answers with the pid, and then becomes the lean monitor image
// (package loop). Commands that come later connect to the container's attach
// socket (Connect). Package wire has what they say to each other.
//
// It may import shared packages and wire; the engine imports it.
package monitor
