// Package transport reads images from, and writes them to, the places that
// transport:details references name (containers-transports(5)): registries,
// OCI layouts, directories, archives and the local store. All of them look
// alike through Source and Destination; what differs is asked for with the
// small optional interfaces.
//
// It imports config, ref, registry, store, errdef and go-containerregistry's
// types.
package transport
