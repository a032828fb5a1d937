// Package fetch reads files from the web. Credentials are never sent.
//
// It imports errdef and the standard library.
package fetch
