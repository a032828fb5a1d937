// Package cli holds the commands of skopeo, a file per command. They read the
// command line and call the shared packages, which do the work.
package cli
