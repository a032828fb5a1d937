// Package names is what the commands and the keeper of a run directory tell
// each other: a file of names per network, replaced as a whole, and a socket
// over which a command has them read. It is linked into the keeper's lean
// image, so it imports the standard library and x/sys alone.
package names
