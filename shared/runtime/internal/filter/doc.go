// Package filter keeps compiled seccomp filters. To compile the default
// profile takes libseccomp tens of milliseconds, so it is done once for each
// profile; afterwards a container's init loads the same program from a file.
//
// How a program reaches the kernel: the container's configuration carries the
// Marker profile instead of the real one, and its init gets the program's file
// (Adopt). When libcontainer, at its usual moment, compiles the marker and
// asks libseccomp for the result, it is given the program; all it does before
// and after stays as it is. The marker itself kills every process, so that a
// container whose program went missing can't run at all.
//
// It may import libseccomp, libcontainer's configuration types and x/sys.
package filter
