// Package config reads the configuration files that the container tools share
// and gives their settings as plain values:
//
//   - containers.conf(5) with its drop-ins, CONTAINERS_CONF and
//     CONTAINERS_CONF_OVERRIDE,
//   - containers-storage.conf(5) and CONTAINERS_STORAGE_CONF,
//   - containers-registries.conf(5) with its drop-ins and
//     CONTAINERS_REGISTRIES_CONF.
//
// A key that means something here has a field, so that a value of the wrong type
// is refused wherever it stands; any other, such as storage.options.zfs.fsname,
// is passed over, as unknown ones are by every tool that shares these files, and
// listed in Config.UnknownKeys.
// Nothing is kept in globals: what a process loads is what it gets.
//
// It imports the TOML library, atomicfile, errdef, ref and the standard library.
package config
