// Package filter keeps compiled seccomp filters. To compile the default
// profile takes libseccomp tens of milliseconds, so it is done once for each
// profile; afterwards a container's init loads the same program from a file.
//
// It may import errdef, libseccomp, libcontainer's configuration types and
// x/sys.
package filter
