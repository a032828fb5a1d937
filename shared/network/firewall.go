package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	mdnetlink "github.com/mdlayher/netlink"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network/rules"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The sets and maps of the table. A published port is an element of ports4/6,
// or of addrs4/6 when it is published on one address of the host. A network is
// its bridge in one of the bridge sets and its subnets in subnets4/6.
const (
	setBridges  = "bridges"  // every bridge with a way out
	setInternal = "internal" // bridges without one
	setIsolated = "isolated" // bridges that don't reach each other
	setStrict   = "strict"   // bridges that no other bridge reaches
	setSame     = "same"     // pairs of a bridge and itself
)

// firewall is the table's description, made for one batch and thrown away.
type firewall struct {
	table             *nftables.Table
	bridges, internal *nftables.Set
	isolated, strict  *nftables.Set
	same              *nftables.Set
	v4, v6            familySets
}

// familySets are what IPv4 and IPv6 each have.
type familySets struct {
	family       byte
	subnets      *nftables.Set
	ports, addrs *nftables.Set // maps to an address and port
	source, dest uint32        // offsets in the network header
	length       uint32        // of an address
}

func newFirewall() *firewall {
	t := &nftables.Table{Family: nftables.TableFamilyINet, Name: rules.Table}
	set := func(name string, key nftables.SetDatatype) *nftables.Set {
		return &nftables.Set{Table: t, Name: name, KeyType: key}
	}
	family := func(suffix string, number byte, addr nftables.SetDatatype, source, dest uint32) familySets {
		target := nftables.MustConcatSetType(addr, nftables.TypeInetService)
		f := familySets{family: number, source: source, dest: dest, length: addr.Bytes}
		f.subnets = set("subnets"+suffix, addr)
		f.subnets.Interval = true
		f.ports = set("ports"+suffix, nftables.MustConcatSetType(nftables.TypeInetProto, nftables.TypeInetService))
		f.addrs = set("addrs"+suffix, nftables.MustConcatSetType(addr, nftables.TypeInetProto, nftables.TypeInetService))
		for _, m := range []*nftables.Set{f.ports, f.addrs} {
			m.IsMap, m.DataType, m.Concatenation = true, target, true
		}
		return f
	}
	f := &firewall{table: t,
		bridges:  set(setBridges, nftables.TypeIFName),
		internal: set(setInternal, nftables.TypeIFName),
		isolated: set(setIsolated, nftables.TypeIFName),
		strict:   set(setStrict, nftables.TypeIFName),
		same:     set(setSame, nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIFName)),
		v4:       family("4", unix.NFPROTO_IPV4, nftables.TypeIPAddr, 12, 16),
		v6:       family("6", unix.NFPROTO_IPV6, nftables.TypeIP6Addr, 8, 24),
	}
	f.same.Concatenation = true
	for _, s := range []*nftables.Set{f.bridges, f.internal, f.isolated, f.strict} {
		s.KeyByteOrder = binaryutil.NativeEndian // so that nft shows the names
	}
	return f
}

func (f *firewall) family(ip net.IP) *familySets {
	if ip.To4() != nil {
		return &f.v4
	}
	return &f.v6
}

// rules adds the table with its sets, chains and rules to the batch.
func (f *firewall) rules(c *nftables.Conn) error {
	c.AddTable(f.table)
	for _, s := range []*nftables.Set{f.bridges, f.internal, f.isolated, f.strict, f.same, f.v4.subnets, f.v4.ports, f.v4.addrs, f.v6.subnets, f.v6.ports, f.v6.addrs} {
		if err := c.AddSet(s, nil); err != nil {
			return err
		}
	}
	chain := func(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority) *nftables.Chain {
		return c.AddChain(&nftables.Chain{Name: name, Table: f.table, Type: kind, Hooknum: hook, Priority: priority})
	}
	publish := c.AddChain(&nftables.Chain{Name: "publish", Table: f.table})
	prerouting := chain("prerouting", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest)
	output := chain("output", nftables.ChainTypeNAT, nftables.ChainHookOutput, nftables.ChainPriorityNATDest)
	postrouting := chain("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)
	forward := chain("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)
	loopback := chain("loopback", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, nftables.ChainPriorityRaw)
	add := func(chain *nftables.Chain, parts ...[]expr.Any) {
		rule := &nftables.Rule{Table: f.table, Chain: chain}
		for _, p := range parts {
			rule.Exprs = append(rule.Exprs, p...)
		}
		c.AddRule(rule)
	}
	for _, chain := range []*nftables.Chain{prerouting, output} {
		add(chain, destinationIsLocal(), verdict(expr.VerdictJump, publish.Name))
	}
	for _, v := range []*familySets{&f.v4, &f.v6} {
		add(publish, v.is(), v.dnat(v.addrs, true))
		add(publish, v.is(), v.dnat(v.ports, false))
		// A container that uses a port published by a sibling, or by itself.
		add(postrouting, linkIn(expr.MetaKeyOIFNAME, f.bridges), redirected(), v.is(), v.load(v.source), in(v.subnets), masquerade())
		// The host that uses one on its own loopback.
		add(postrouting, linkIn(expr.MetaKeyOIFNAME, f.bridges), v.is(), v.loopback(v.source), masquerade())
	}
	add(postrouting, linkIn(expr.MetaKeyOIFNAME, f.bridges), verdict(expr.VerdictReturn, ""))
	for _, v := range []*familySets{&f.v4, &f.v6} {
		add(postrouting, v.is(), v.load(v.source), in(v.subnets), v.notMulticast(), masquerade())
	}
	add(forward, samePair(), in(f.same), verdict(expr.VerdictAccept, ""))
	add(forward, linkIn(expr.MetaKeyIIFNAME, f.internal), verdict(expr.VerdictDrop, ""))
	add(forward, linkIn(expr.MetaKeyOIFNAME, f.internal), verdict(expr.VerdictDrop, ""))
	for _, apart := range [][2]*nftables.Set{{f.isolated, f.isolated}, {f.strict, f.bridges}, {f.bridges, f.strict}} {
		add(forward, linkIn(expr.MetaKeyIIFNAME, apart[0]), linkIn(expr.MetaKeyOIFNAME, apart[1]), verdict(expr.VerdictDrop, ""))
	}
	// route_localnet opens the bridges to 127.0.0.0/8; only answers may use it,
	// and those carry the bridge's address here.
	for _, s := range []*nftables.Set{f.bridges, f.internal} {
		add(loopback, linkIn(expr.MetaKeyIIFNAME, s), f.v4.is(), f.v4.loopback(f.v4.dest), verdict(expr.VerdictDrop, ""))
	}
	return nil
}

// network adds the network's elements to the batch.
func (f *firewall) network(c *nftables.Conn, n *Network) error {
	name := linkName(n.NetworkInterface)
	kind := f.bridges
	if n.Internal {
		kind = f.internal
	}
	elements := []element{{set: f.same, key: append(linkName(n.NetworkInterface), name...)}, {set: kind, key: name}}
	switch isolate := n.Options["isolate"]; isolate {
	case "":
	case "strict":
		elements = append(elements, element{set: f.strict, key: name})
	default:
		if on, _ := strconv.ParseBool(isolate); on {
			elements = append(elements, element{set: f.isolated, key: name})
		}
	}
	for _, e := range elements {
		if err := c.SetAddElements(e.set, []nftables.SetElement{{Key: e.key}}); err != nil {
			return err
		}
	}
	if n.Internal {
		return nil
	}
	for _, s := range n.Subnets {
		if err := c.SetAddElements(f.family(s.Subnet.IP).subnets, interval(s.Subnet)); err != nil {
			return err
		}
	}
	return nil
}

// interval is a subnet as the two elements of an interval set.
func interval(n IPNet) []nftables.SetElement {
	first := n.IP.Mask(n.Mask)
	end := append(net.IP(nil), first...)
	ones, _ := n.Mask.Size()
	for i := (ones - 1) / 8; ones > 0 && i >= 0; i-- { // add one to the prefix
		step := byte(1)
		if i == (ones-1)/8 {
			step = 1 << (7 - (ones-1)%8)
		}
		if end[i] += step; end[i] >= step {
			break
		}
	}
	return []nftables.SetElement{{Key: first}, {Key: end, IntervalEnd: true}}
}

func linkName(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

// ensureNetwork makes sure that the table is there and has the network, and
// that the keeper can put both back. The usual case is one small question to
// the kernel.
func (m *Manager) ensureNetwork(n *Network) error {
	set, kept := setBridges, rules.Network(n.Name)
	if n.Internal {
		set = setInternal
	}
	if _, err := getElement(set, linkName(n.NetworkInterface)); err == nil && m.rules().Has(kept) {
		return nil
	} else if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("read nftables set %q: %w", set, err)
	}
	held, err := m.rules().Lock(true)
	if err != nil {
		return err
	}
	defer held.Close()
	f := newFirewall()
	if err := m.keep(rules.TableRules(), "", f.rules); err != nil {
		return err
	}
	network := func(c *nftables.Conn) error {
		if err := f.network(c, n); err != nil {
			return err
		}
		return addTo(c, m.namesElsewhere(f, n), (*nftables.Conn).SetAddElements)
	}
	for _, e := range m.namesElsewhere(f, n) { // of another configuration
		if err := unpublishOne(e, nil); err != nil {
			return err
		}
	}
	if err := m.keep(kept, "", network); err != nil {
		return err
	}
	c, err := nftables.New()
	if err != nil {
		return err
	}
	if !hasTable() {
		if err := f.rules(c); err != nil {
			return err
		}
	}
	if err := network(c); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("add network %q to nftables: %w", n.Name, err)
	}
	return nil
}

// noFirewall is the driver that makes no rules.
const noFirewall = "none"

// checkFirewall refuses drivers that there are none of here.
func (m *Manager) checkFirewall() error {
	switch m.o.Firewall {
	case "", "nftables", noFirewall:
		return nil
	}
	return errdef.Newf(errdef.ErrUnsupported, "firewall_driver %q is not supported: leave it out of containers.conf for nftables, or set it to \"none\" and make the rules yourself", m.o.Firewall)
}

// namesElsewhere sends questions for names to the port where the keeper answers,
// if that is not theirs.
func (m *Manager) namesElsewhere(f *firewall, n *Network) []element {
	if m.o.DNSPort == dnsPort || !n.DNSEnabled {
		return nil
	}
	var all []element
	for _, ip := range n.gateways() {
		for _, proto := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			all = append(all, f.element(ip, proto, dnsPort, ip, m.o.DNSPort))
		}
	}
	return all
}

// rules is what the firewall is to have.
func (m *Manager) rules() rules.Set { return rules.Set{Dir: filepath.Join(m.o.RunDir, "rules")} }

// keep writes down what change would send to the kernel.
func (m *Manager) keep(name, ns string, change func(*nftables.Conn) error) error {
	var sent []byte
	// The library's own door to see what it sends.
	c, err := nftables.New(nftables.WithTestDial(func(messages []mdnetlink.Message) ([]mdnetlink.Message, error) {
		for _, message := range messages {
			if message.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES {
				continue // the batch's ends
			}
			message.Header.Flags &^= mdnetlink.Acknowledge
			b, err := message.MarshalBinary()
			if err != nil {
				return nil, err
			}
			sent = append(sent, b...)
		}
		return nil, io.EOF
	}))
	if err == nil {
		err = change(c)
	}
	if err != nil {
		return fmt.Errorf("describe rules: %w", err)
	}
	if err := c.Flush(); len(sent) == 0 {
		return fmt.Errorf("describe rules: %w", err)
	}
	return m.rules().Keep(name, ns, sent)
}

func hasTable() bool {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETTABLE, 0)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.NFPROTO_INET})
	req.AddData(nl.NewRtAttr(unix.NFTA_TABLE_NAME, nl.ZeroTerminated(rules.Table)))
	_, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	return err == nil
}

// getElement returns the data that a set or map has for key; ENOENT when there
// is no such table, set or element.
func getElement(set string, key []byte) ([]byte, error) {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETSETELEM, 0)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.NFPROTO_INET})
	req.AddData(nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_TABLE, nl.ZeroTerminated(rules.Table)))
	req.AddData(nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_SET, nl.ZeroTerminated(set)))
	list := nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_ELEMENTS|unix.NLA_F_NESTED, nil)
	elem := list.AddRtAttr(unix.NFTA_LIST_ELEM|unix.NLA_F_NESTED, nil)
	elem.AddRtAttr(unix.NFTA_SET_ELEM_KEY|unix.NLA_F_NESTED, nil).AddRtAttr(unix.NFTA_DATA_VALUE, key)
	req.AddData(list)
	msgs, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil || len(msgs) == 0 {
		return nil, err
	}
	b := msgs[0]
	if len(b) < nl.SizeofNfgenmsg {
		return nil, nil
	}
	b = b[nl.SizeofNfgenmsg:]
	for _, kind := range []uint16{unix.NFTA_SET_ELEM_LIST_ELEMENTS, unix.NFTA_LIST_ELEM, unix.NFTA_SET_ELEM_DATA, unix.NFTA_DATA_VALUE} {
		b = attribute(b, kind)
	}
	return b, nil
}

// attribute returns the content of the first netlink attribute of the kind.
func attribute(b []byte, kind uint16) []byte {
	for len(b) >= 4 {
		size := int(binary.NativeEndian.Uint16(b))
		if size < 4 || size > len(b) {
			return nil
		}
		if binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) == kind {
			return b[4:size]
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return nil
}

// forgetNetwork takes the network out of the table and its bridge away.
func (m *Manager) forgetNetwork(n *Network) error {
	held, err := m.rules().Lock(false)
	if err != nil {
		return err
	}
	defer held.Close()
	if err := m.rules().Forget(rules.Network(n.Name)); err != nil {
		return err
	}
	f := newFirewall()
	name := linkName(n.NetworkInterface)
	elements := []element{{set: f.same, key: append(linkName(n.NetworkInterface), name...)},
		{set: f.bridges, key: name}, {set: f.internal, key: name}, {set: f.isolated, key: name}, {set: f.strict, key: name}}
	for _, e := range append(elements, m.namesElsewhere(f, n)...) {
		if err := unpublishOne(e, nil); err != nil {
			return err
		}
	}
	for _, s := range n.Subnets {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		if err := c.SetDeleteElements(f.family(s.Subnet.IP).subnets, interval(s.Subnet)); err != nil {
			return err
		}
		if err := c.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove network %q from nftables: %w", n.Name, err)
		}
	}
	if n.Options["mode"] == "unmanaged" {
		return nil
	}
	if err := delLink(n.NetworkInterface); err != nil {
		return fmt.Errorf("remove bridge %q: %w", n.NetworkInterface, err)
	}
	return nil
}
