// Package cdi finds devices by the names that vendors give them,
// "vendor.com/class=name", in the files of the Container Device Interface
// (https://github.com/cncf-tags/container-device-interface), and edits the
// specification of a container that gets some.
//
// It reads the files with the types of the interface's own module; that
// module's cache of them, with its watchers, is more than a command needs that
// looks once. It may import errdef and runtime.
package cdi
