// Package config reads the configuration files that the container tools share
// and gives their settings as plain values:
//
//   - containers.conf(5) with its drop-ins, CONTAINERS_CONF and
//     CONTAINERS_CONF_OVERRIDE,
//   - containers-storage.conf(5) and CONTAINERS_STORAGE_CONF,
//   - containers-registries.conf(5) with its drop-ins and
//     CONTAINERS_REGISTRIES_CONF.
//
// Only the keys that some package acts on are fields here; a key that is not
// is passed over, as it is by every tool that shares these files. Nothing is
// kept in globals: what a process loads is what it gets.
//
// It imports the TOML decoder, errdef and the standard library.
package config
