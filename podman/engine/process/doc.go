// Package process describes processes by what /proc says of them, in the
// columns of `podman top`. It imports the standard library, x/sys, errdef,
// rootfs and runtime (for the names of capabilities).
package process
