// The keeper answers for the names of containers on the networks of one run
// directory. Commands start it with the first container on a network with
// names; it ends with the last, and when it is killed, the next command starts
// it again: all that it knows lies in the tables (package names).
//
// It listens on the gateways, answers for names, aliases and short IDs, and
// passes other questions on to the servers of the container, the network or
// the host. Tables are replaced while the sockets stay, so no query is lost
// when containers come and go.
//
// podman and buildah carry it inside as a program of its own, as it stays in
// memory for as long as the containers do. It imports package names, dnsmessage
// and x/sys.
package main
