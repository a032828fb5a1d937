// Package cli is buildah's command line: a file for each command. It may
// import buildah/build and the packages of shared.
package cli
