// Package encryption encrypts the layers of images for those who hold a key,
// and decrypts them, in the format that image tools share: the bytes of a
// layer with AES-256 in counter mode and an HMAC over what comes out, the key
// to that in the annotations of the layer's descriptor, wrapped for each
// recipient as JWE (RFC 7516), PKCS #7 (RFC 2315) or OpenPGP (RFC 4880).
//
// It imports errdef and, for GnuPG's keyring, signature.
package encryption
