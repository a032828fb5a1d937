// Package rules keeps what the firewall of a run directory is to have, so that
// it can be put back whoever took it away: files with the netlink messages of
// nftables that put it there, one for the table, one for each network and one
// for the published ports of each container. It is linked into the keeper's
// lean image, so it imports the standard library and x/sys alone.
package rules
