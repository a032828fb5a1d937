// Package event is the log of what happened to containers, images, volumes
// and the rest: a file on the run root with a line of JSON for each event. To
// write one costs a system call and no lock; whoever reads may follow it.
//
// It imports the standard library, errdef and x/sys.
package event
