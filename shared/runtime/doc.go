// Package runtime creates, starts and ends containers through one contract
// with two engines: the one built in (libcontainer, in this process) and an
// external OCI runtime program (runc, crun, or any other by its path). It also
// holds the default container profile: capabilities, seccomp, mounts, masked
// paths.
//
// It may import errdef, the opencontainers libraries and x/sys. It knows
// nothing of images, stores, networks and configuration files.
package runtime
