// Package transport reads images from, and writes them to, the places that
// transport:details references name (containers-transports(5)): registries,
// OCI layouts, directories, archives, tars, Docker daemons and the local store. All look
// alike through Source and Destination; what differs is asked for with the
// small optional interfaces.
//
// It imports cliout, config, ref, registry, store, store/unpack, errdef and go-containerregistry's
// types.
package transport
