// Package source keeps source images: OCI layouts whose one image has no
// program in it but what an ordinary image was made of, an archive of it in each layer.
//
// It imports from shared and from build/fscopy, which archives directories.
package source
