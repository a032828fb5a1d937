// Package trust decides, by policy.json (containers-policy.json(5)), whether
// an image may be used. It knows the requirements insecureAcceptAnything and
// reject; an image that a policy wants a signature for is refused, for
// signatures cannot be checked yet.
//
// It imports config, ref, errdef and the standard library.
package trust
