// Package network is podman's commands for networks. It imports the engine,
// app, say and shared packages.
package network
