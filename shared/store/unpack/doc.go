// Package unpack turns a layer's tar stream into files, in one pass: it
// decompresses, hashes, writes, and records what is needed to give the same tar
// back byte for byte (tar-split). The stream is hostile: nothing it says can
// make, change or remove a file outside the directory it is unpacked in. And the
// other way round: Assembler reads the tar back.
//
// It may import errdef and third-party libraries, but no storage library.
package unpack
