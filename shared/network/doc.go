// Package network connects containers: network namespaces, bridges, addresses,
// published ports and, for ordinary users, pasta.
//
// A network is a JSON file in netavark's format; the network "podman" is there
// without one. Addresses in use are symbolic links in the run directory, one
// per address, so that taking one is a single atomic system call. Published
// ports and masquerading are elements of the sets and maps of one nftables
// table, "inet podman", whose rules never change: adding a container is one
// small batch that touches nobody else. What is found missing (after a reboot,
// a flushed ruleset, a killed command) is made again; what is left over is
// taken over.
//
// The names of containers are answered for by one keeper per run directory
// (package keeper), which reads them from files (package names). It is started
// with the first container on a network that has names.
//
// It imports shared/carried, shared/errdef, shared/userns, vishvananda/netlink, google/nftables and x/sys.
package network
