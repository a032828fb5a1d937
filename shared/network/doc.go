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
// One keeper per run directory (package keeper), started with the first
// container, answers for the names of containers, which it reads from files
// (package names), and puts back rules that somebody else took away: each
// change of them is kept as the messages that made it (package rules).
//
// An ordinary user's bridges are in a namespace that their containers share,
// and pasta leads out of it. A container of theirs that publishes ports has a
// pasta of its own beside the bridges, and one on no network nothing else.
//
// It imports shared/carried, shared/errdef, shared/userns, vishvananda/netlink,
// google/nftables with mdlayher/netlink, and x/sys.
package network
