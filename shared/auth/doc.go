// Package auth keeps credentials for registries: it looks them up in the
// files of containers-auth.json(5) and in Docker's, asks credential helpers,
// and adds and removes entries for login and logout. Credentials are matched
// to the registry, or the namespace within one, that they were stored for.
//
// It imports atomicfile, config, errdef and the standard library.
package auth
