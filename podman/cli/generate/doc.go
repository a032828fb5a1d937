// Package generate is podman's commands that write down how containers and
// pods are to be made again. It imports the engine, app, the packages of the
// commands that make them, and shared packages.
package generate
