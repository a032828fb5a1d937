// Package build makes images from Containerfiles: working containers, layers,
// the step cache and the commit.
//
// It may import buildah/dockerfile, its own sub-packages and the packages of
// shared; it knows no command line.
package build
