// Package fetch reads files from the web. No passwords are sent.
//
// It imports errdef and the standard library.
package fetch
