// Package trust decides, by policy.json (containers-policy.json(5)), whether
// an image may be used, and knows where the signatures of images in registries
// are kept (containers-registries.d(5)): the decisions are here, the
// signatures' formats and their cryptography are the package signature's.
//
// It imports atomicfile, config, ref, signature, errdef, a YAML parser and the standard
// library.
package trust
