// Package engine is what podman does, without cobra and without HTTP: one
// concrete Engine with a method per operation, each taking a request struct.
// Defaults and validation live here alone, so that every front end shares
// them.
//
// State lies in files. What must survive a reboot lies with the container in
// the store; what is of this boot lies on the run root:
//
//	store: configuration (big data), summary (metadata), exit (the last exit)
//	run root: state.json (pid and start), exit, attach (socket), bundle files
//
// Reading operations take no container lock.
//
// It may import its domain packages and shared; cli imports it.
package engine
