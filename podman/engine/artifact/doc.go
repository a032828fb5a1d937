// Package artifact keeps OCI artifacts, files that are stored and transferred
// like images, in an OCI layout below the graph root, as the reference does.
// Whoever writes to it holds the layout's lock, so that what a killed process
// left can be cleared by the next one.
//
// It imports atomicfile, imgcopy, transport, ref, trust, store (for the lock), config,
// cliout (for the Progress interface), errdef and the types of OCI images.
package artifact
