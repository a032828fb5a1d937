// Package runtime creates, starts and ends containers through one contract
// with two engines: the one built in and an external OCI runtime program
// (runc, crun, or any other by its path). It also holds the default container
// profile: capabilities, seccomp, mounts, masked paths.
//
// The built-in engine turns a specification into a list of operations
// (create.go, mount.go, process.go), checked and complete before anything
// runs. A program of eleven kilobytes, init/init.c, carries the list out in
// the new namespaces and becomes the container's command. It is executed from
// a sealed memory file, so a container can't reach this program through
// /proc. It needs Linux 5.12: all mounts are made detached and attached to
// descriptors, and paths in a root are opened by openat2.
//
// It may import carried, errdef, memfile, rootfs, userns, the opencontainers libraries
// and x/sys. It knows nothing of images, stores, networks and configuration files.
package runtime
