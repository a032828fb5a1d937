// Package carried opens the small programs that a big one carries inside itself
// and starts where little memory matters. It imports memfile and x/sys.
package carried
