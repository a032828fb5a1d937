// Package userns keeps a user's commands in one user and mount namespace, so
// that an ordinary user has root's rights over their own containers and every
// later command sees the mounts of the earlier ones.
//
// The first command makes the namespaces: a pause process, which is this same
// program started in another mode, unshares them and then only sleeps, holding
// a record lock on the file that names it. newuidmap and newgidmap give the
// namespace the ranges of /etc/subuid and /etc/subgid; without them it holds
// the user's own ID alone, as 0. The command then executes itself again.
//
// A process may change its user namespace only while it has one thread, so
// joining is done by a C constructor, before the Go runtime starts. For root
// it costs one system call. It never fails a command: who needs the namespace
// calls Enter and hears there what went wrong.
//
// It imports shared/errdef and x/sys.
package userns
