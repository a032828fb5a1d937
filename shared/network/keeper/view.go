package main

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/podsuite/podsuite/shared/network/names"
)

// view is all tables at one time. It doesn't change once it is in use.
type view struct {
	zones      []*zone
	at         map[netip.AddrPort]*zone // by the socket that answers for it
	clients    map[netip.Addr]*client   // by address
	containers map[string]*client       // the same, by ID
}

// zone is one network's names.
type zone struct {
	network string
	table   names.Table
	byName  map[string][]netip.Addr
	byAddr  map[netip.Addr][]string
}

// client is a container that asks.
type client struct {
	zones   []*zone // of the networks that it is on
	servers []netip.Addr
}

func newView() *view {
	return &view{at: map[netip.AddrPort]*zone{}, clients: map[netip.Addr]*client{}, containers: map[string]*client{}}
}

// add puts a network's table into the view.
func (v *view) add(network string, table names.Table) {
	z := &zone{network: network, table: table, byName: map[string][]netip.Addr{}, byAddr: map[netip.Addr][]string{}}
	v.zones = append(v.zones, z)
	for _, c := range table.Containers {
		askable := slices.DeleteFunc(slices.Clone(c.Names), unaskable)
		for _, name := range askable {
			name = strings.ToLower(name)
			z.byName[name] = append(z.byName[name], c.Addresses...)
		}
		for _, ip := range c.Addresses {
			z.byAddr[ip] = askable
		}
	}
	v.join(z)
}

// unaskable tells whether no question can have the name, nor an answer: a label
// has up to 63 bytes, a name up to 255 (RFC 1035).
func unaskable(name string) bool {
	return len(name) > 253 || slices.ContainsFunc(strings.Split(name, "."), func(label string) bool { return label == "" || len(label) > 63 })
}

// join makes the zone one of its containers' own. A container on several
// networks asks for the names of all, whichever gateway it asks.
func (v *view) join(z *zone) {
	for _, c := range z.table.Containers {
		of := v.containers[c.ID]
		if of == nil {
			of = &client{}
			v.containers[c.ID] = of
		}
		of.zones = append(of.zones, z)
		if len(c.Servers) > 0 {
			of.servers = c.Servers
		}
		for _, ip := range c.Addresses {
			v.clients[ip] = of
		}
	}
}

// servers are those to ask for what isn't known here; none for the host's.
func (v *view) servers(at netip.AddrPort, from netip.Addr) []netip.Addr {
	z := v.at[at]
	if z == nil {
		return nil
	}
	if c := v.clients[from]; c != nil && len(c.servers) > 0 {
		return c.servers
	}
	return z.table.Servers
}

// answer is the reply to what is known here: names of containers, what is in
// their domain, and addresses. nil passes the question on.
func (v *view) answer(q *question, at netip.AddrPort, from netip.Addr) []byte {
	own := v.at[at]
	if own == nil {
		return q.reply(dnsmessage.RCodeServerFailure, nil)
	}
	zones := []*zone{own}
	if c := v.clients[from]; c != nil {
		zones = c.zones
	}
	if q.class != dnsmessage.ClassINET {
		return v.unknown(q, zones)
	}
	if q.kind == dnsmessage.TypePTR {
		return v.answerPTR(q, zones)
	}
	name, inDomain := strings.CutSuffix(q.name, "."+names.Domain)
	var found []netip.Addr
	known := false
	for _, z := range zones {
		ips, ok := z.byName[name]
		found, known = append(found, ips...), known || ok
	}
	switch {
	case known:
		rand.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
		return q.addresses(found)
	case inDomain || q.name == names.Domain:
		return q.reply(dnsmessage.RCodeNameError, nil)
	}
	return v.unknown(q, zones)
}

// unknown says that a name isn't there if no one of the networks leads out.
func (v *view) unknown(q *question, zones []*zone) []byte {
	for _, z := range zones {
		if !z.table.Internal {
			return nil
		}
	}
	return q.reply(dnsmessage.RCodeNameError, nil)
}

func (v *view) answerPTR(q *question, zones []*zone) []byte {
	ip, ok := addressOf(q.name)
	if !ok {
		return v.unknown(q, zones)
	}
	for _, z := range zones {
		if all := z.byAddr[ip]; len(all) > 0 {
			return q.pointers(all)
		}
	}
	return v.unknown(q, zones)
}

// addressOf reads the name that stands for an address in reverse look-ups.
func addressOf(name string) (netip.Addr, bool) {
	if text, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		parts := strings.Split(text, ".")
		if len(parts) != 4 {
			return netip.Addr{}, false
		}
		ip, err := netip.ParseAddr(parts[3] + "." + parts[2] + "." + parts[1] + "." + parts[0])
		return ip, err == nil
	}
	text, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(text) != 63 {
		return netip.Addr{}, false
	}
	var ip [16]byte
	for i := range 32 {
		digit, err := strconv.ParseUint(text[2*i:2*i+1], 16, 8)
		if err != nil || i < 31 && text[2*i+1] != '.' {
			return netip.Addr{}, false
		}
		ip[15-i/2] |= byte(digit) << (4 * (i % 2))
	}
	return netip.AddrFrom16(ip), true
}
