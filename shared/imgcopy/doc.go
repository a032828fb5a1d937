// Package imgcopy copies images between the places of package transport:
// blobs side by side, each only if it is missing, compressed or not as the
// destination wants it, and the manifest last, so that an interrupted copy
// leaves nothing that looks like an image. Pull, Push and ResolveLocal are
// what the commands of those names mean.
//
// It imports transport, store, store/unpack, registry, trust, config, ref, cliout (for the
// Progress interface), errdef and compressors.
package imgcopy
