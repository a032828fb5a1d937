// Package fscopy finds, hashes and copies the files that COPY and ADD name:
// from a build context or from a container's root, into a container's root.
//
// Neither side is trusted. Names are resolved inside their own root, and below
// what was resolved no symbolic link is followed.
//
// It may import shared/rootfs, shared/errdef, compression libraries, the
// pattern matcher of ignore files and x/sys.
package fscopy
