// Package ref parses and writes the names of images: names such as
// busybox, localhost/app:v1 or docker.io/library/busybox@sha256:… (the grammar
// of the distribution project's reference documentation), the candidates a
// short name may stand for, and the transport:details references that say
// where an image lies (containers-transports(5)).
//
// It is pure: nothing is looked up. It imports errdef, go-digest and the
// standard library.
package ref
