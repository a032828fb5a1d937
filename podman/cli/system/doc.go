// Package system has the commands about podman as a whole: events, info,
// version and `podman system`. It imports app, say and the engine.
package system
