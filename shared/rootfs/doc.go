// Package rootfs reaches files inside a container's root file system, whose
// symbolic links the container controls. Every path is resolved by the kernel
// as if the root were the caller's own (openat2 with RESOLVE_IN_ROOT): links
// and ".." can't leave it, and no moment lies between a check and its use.
// The other packages touch no path in a container but through this one.
//
// It may import errdef and x/sys.
package rootfs
