// Package secret has the commands of `podman secret`. It imports app, say and
// the engine.
package secret
