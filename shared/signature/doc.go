// Package signature reads, verifies and makes signatures of images: simple
// signing (container-signature(5), a signed OpenPGP message) and sigstore's
// (cosign's simple signing payload with a raw signature, a certificate of
// Fulcio or of another authority, and Rekor's proof of entry).
//
// Public keys are read from files and checked in this process. Secret OpenPGP
// keys are in the user's keyring, which belongs to GnuPG and its agent: making
// a signature with one runs the gpg program.
//
// It imports errdef, go-digest, ProtonMail/go-crypto, go-securesystemslib and
// the standard library.
package signature
