// Package mirror is what skopeo sync does: it finds the images of
// repositories, directories and lists in YAML, and brings those that differ to
// another place. Whether one differs is told by its digest, asked for many
// images at a time and without any of their content.
//
// It imports imgcopy, transport, registry, ref and errdef, and prints nothing.
package mirror
