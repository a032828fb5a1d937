// The keeper answers for the names of containers on the networks of one run
// directory, and keeps their firewall rules in place. Commands start it with the
// first container on a network; it ends with the last, and when it is killed,
// the next command starts it again: all that it knows lies in files (packages
// names and rules).
//
// It listens on the gateways, answers for names, aliases and short IDs, and
// passes other questions on to the servers of the container, the network or
// the host. Tables are replaced while the sockets stay, so no query is lost
// when containers come and go.
//
// The kernel tells it when rules are taken away by somebody else. It puts them
// back within milliseconds, and connections under way don't notice.
//
// podman and buildah carry it inside as a program of its own, as it stays in
// memory for as long as the containers do. It imports packages names and
// rules, dnsmessage and x/sys.
package main
