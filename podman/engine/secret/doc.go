// Package secret keeps secrets: what is told of them in secrets.json, their
// data with a driver. The files and their locks are those of the reference,
// so that its programs can use the same ones.
//
// It imports the standard library, errdef and x/sys.
package secret
