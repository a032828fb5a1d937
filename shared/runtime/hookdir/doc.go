// Package hookdir gives containers the hooks that a machine's hooks directories
// hold for them, files as oci-hooks(5) describes them.
//
// It may import errdef and runtime.
package hookdir
