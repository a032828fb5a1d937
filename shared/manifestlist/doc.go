// Package manifestlist makes and changes lists of images (OCI image indexes) in
// the local store, and copies them elsewhere with the images that they name.
// podman's and buildah's manifest commands are made of it. A list lies in the
// store as the reference tools keep it: an image record without layers, whose
// manifest is the list; beside it lie two documents, which say where each image
// of the list is, and hold the artifacts that were made for the list.
//
// It imports store, transport, imgcopy, ref, config, cliout (for the Progress
// interface), errdef and go-containerregistry's types.
package manifestlist
