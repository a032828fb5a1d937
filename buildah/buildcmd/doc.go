// Package buildcmd is the build command and the groups of its options, which
// buildah and podman share: each option is declared once.
//
// It may import buildah/build and the packages of shared.
package buildcmd
