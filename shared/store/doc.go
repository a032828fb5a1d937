// Package store keeps images, layers and containers on disk. It is the only
// package that imports the storage library (go.podman.io/storage), and hides
// its types: the on-disk format is that library's, with images recorded the
// way the reference tools record them, so both can share a store.
//
// Layers are unpacked by the package unpack, below this one, in a staging
// directory and without any lock, then committed under the library's lock.
//
// It may import errdef, rootfs, userns, unpack and third-party libraries.
package store
