// Package manifestcmd is the manifest command that podman and buildah both have, a
// file per small group of its commands. It imports shared packages and cobra.
package manifestcmd
