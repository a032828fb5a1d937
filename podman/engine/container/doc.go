// Package container is what a container is: the configuration that is written
// once when it is made, the summary that listings read, its place on disk,
// and the OCI specification made of it. Nothing here starts a process.
//
// It may import shared packages; the engine imports it.
package container
