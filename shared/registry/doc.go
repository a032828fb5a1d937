// Package registry is a client of one repository of a registry that speaks
// the OCI distribution specification: manifests, blobs with resumed
// downloads, uploads with mounts between repositories, tags, the catalogue
// and searches. Which registry is asked, and with what credentials and
// certificates, follows the configuration files; a loopback address is
// treated like any other.
//
// It speaks HTTP itself: go-containerregistry's client falls back to plain
// HTTP on its own for some names and cannot resume, and its media types and
// in-memory server (in tests) are what is used of it. Imports: auth, config,
// ref, errdef.
package registry
