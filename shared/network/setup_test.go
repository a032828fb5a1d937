package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/nftables"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestPublishedPort(t *testing.T) {
	w := newWorld(t)
	a, b := w.container("a"), w.container("b")
	epA := w.endpoint("a", "18080:80", "127.0.0.1:18081:80", "18082:53/udp", "19000-19002:9000-9002")
	status := w.setup(a, epA)
	w.setup(b, w.endpoint("b"))
	held, err := HoldPorts(epA.Ports)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(held)
	serve(t, a, "tcp4", ":80")
	serve(t, a, "udp4", ":53")
	serve(t, a, "tcp4", ":9001")

	reach(t, "tcp4", ipOf(status, "podman")+":80")
	reach(t, "tcp4", "127.0.0.1:18080")
	reach(t, "tcp4", "10.88.0.1:18080")
	reach(t, "tcp4", "127.0.0.1:18081")
	reach(t, "udp4", "127.0.0.1:18082")
	reach(t, "tcp4", "127.0.0.1:19001")
	inNS(t, b, func() error {
		reach(t, "tcp4", "10.88.0.1:18080")
		from := reach(t, "tcp4", ipOf(status, "podman")+":80")
		if !strings.HasPrefix(from, "10.88.0.3:") {
			t.Errorf("a sibling's own address is hidden: %s", from)
		}
		return nil
	})
	inNS(t, a, func() error { // its own published port
		reach(t, "tcp4", "10.88.0.1:18080")
		return nil
	})

	w.teardown(a, epA, status)
	for _, key := range []string{"ports4", "addrs4"} {
		if list := dump(t, key); list != 0 {
			t.Errorf("%s has %d elements after teardown", key, list)
		}
	}
	if link, err := netlink.LinkByName(hostLink(a, "a", "podman")); err == nil && link.Attrs().Flags&net.FlagUp != 0 {
		t.Error("the link is still up")
	}
	epA.KeepNS = true
	w.teardown(a, epA, status)
	if _, err := netlink.LinkByName(hostLink(a, "a", "podman")); err == nil {
		t.Error("the link is still there")
	}
}

// TestOutside crosses to a third host and back.
func TestOutside(t *testing.T) {
	w := newWorld(t)
	outside := w.container("outside")
	ns, err := openNS(outside)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "wan"}, PeerName: "wan", PeerNamespace: netlink.NsFd(ns.Fd())}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	up := func(address string) error {
		l, err := netlink.LinkByName("wan")
		if err != nil {
			return err
		}
		addr, _ := netlink.ParseAddr(address)
		if err := netlink.AddrAdd(l, addr); err != nil {
			return err
		}
		return netlink.LinkSetUp(l)
	}
	if err := up("192.0.2.1/24"); err != nil {
		t.Fatal(err)
	}
	inNS(t, outside, func() error { return up("192.0.2.2/24") })
	serve(t, outside, "tcp4", ":7000")

	a := w.container("a")
	w.setup(a, w.endpoint("a", "8080:80", "127.0.0.1:8081:80"))
	serve(t, a, "tcp4", ":80")
	inNS(t, a, func() error {
		if from := reach(t, "tcp4", "192.0.2.2:7000"); !strings.HasPrefix(from, "192.0.2.1:") {
			t.Errorf("seen outside as %s, want the host", from)
		}
		return nil
	})
	inNS(t, outside, func() error {
		if from := reach(t, "tcp4", "192.0.2.1:8080"); !strings.HasPrefix(from, "192.0.2.2:") {
			t.Errorf("the client's address is hidden: %s", from)
		}
		if _, err := ask("tcp4", "192.0.2.1:8081"); err == nil {
			t.Error("a port published on 127.0.0.1 is reached from outside")
		}
		return nil
	})
}

// TestHostLoopback makes sure that what the bridge may route doesn't open the
// host's loopback to containers.
func TestHostLoopback(t *testing.T) {
	w := newWorld(t)
	a := w.container("a")
	w.setup(a, w.endpoint("a"))
	l := listenHere(t, "127.0.0.1:6379")
	defer l.Close()
	inNS(t, a, func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		addrs, _ := netlink.AddrList(lo, netlink.FAMILY_V4)
		for _, addr := range addrs {
			netlink.AddrDel(lo, &addr)
		}
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		dst, _ := netlink.ParseIPNet("127.0.0.1/32")
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Dst: dst, Gw: []byte{10, 88, 0, 1}}); err != nil {
			return err
		}
		os.WriteFile("/proc/sys/net/ipv4/conf/eth0/route_localnet", []byte("1"), 0)
		if text, err := ask("tcp4", "127.0.0.1:6379"); err == nil || errors.Is(err, unix.ECONNREFUSED) {
			t.Error("a container reaches the host's loopback", text)
		} else {
			t.Log(err)
		}
		return nil
	})
}

// TestHeal loses a part of the state each time and sets up again.
func TestHeal(t *testing.T) {
	w := newWorld(t)
	a := w.container("a")
	ep := w.endpoint("a", "8080:80")
	serve(t, a, "tcp4", ":80")
	for name, lose := range map[string]func(){
		"nothing":        func() {},
		"the rules":      func() { flushTable(t) },
		"the bridge":     func() { delLink("podman0") },
		"the run dir":    func() { os.RemoveAll(w.m.o.RunDir) },
		"the link":       func() { delLink(hostLink(a, "a", "podman")) },
		"rules and dir":  func() { flushTable(t); os.RemoveAll(w.m.o.RunDir) },
		"bridge and dir": func() { delLink("podman0"); os.RemoveAll(w.m.o.RunDir) },
	} {
		w.setup(a, ep)
		lose()
		status := w.setup(a, ep) // as after a crash, with no teardown
		reach(t, "tcp4", "127.0.0.1:8080")
		w.teardown(a, ep, nil)
		w.teardown(a, ep, status)
		if _, err := ask("tcp4", "127.0.0.1:8080"); err == nil {
			t.Errorf("after losing %s: the port is still published", name)
		}
		if left := (leases{w.m.leaseDir("podman")}).live(); len(left) > 0 {
			t.Errorf("after losing %s: leases are left: %v", name, left)
		}
		w.setup(a, ep)
		lose()
		w.teardown(a, ep, status)
	}
}

// TestTakenOver: a port left published by a crash goes to the next container,
// and the first one's late teardown doesn't take it away.
func TestTakenOver(t *testing.T) {
	w := newWorld(t)
	a, b := w.container("a"), w.container("b")
	epA, epB := w.endpoint("a", "8080:80", "8081:80"), w.endpoint("b", "8080:81")
	statusA := w.setup(a, epA)
	w.setup(b, epB)
	serve(t, b, "tcp4", ":81")
	reach(t, "tcp4", "127.0.0.1:8080")
	w.teardown(a, epA, statusA)
	reach(t, "tcp4", "127.0.0.1:8080")
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	a := w.container("a")
	file := w.dir + "/file"
	os.WriteFile(file, nil, 0o600)
	uts := w.dir + "/uts"
	os.Symlink("/proc/self/ns/uts", uts)
	for name, try := range map[string]struct {
		ns string
		ep Endpoint
	}{
		"relative path":   {"a", w.endpoint("a")},
		"unclean path":    {w.dir + "/x/../a", w.endpoint("a")},
		"ordinary file":   {file, w.endpoint("a")},
		"other namespace": {uts, w.endpoint("a")},
		"none there":      {w.dir + "/none", w.endpoint("a")},
		"ID with slash":   {a, w.endpoint("../a")},
		"empty ID":        {a, w.endpoint("")},
		"network name":    {a, Endpoint{ContainerID: "a", Networks: map[string]PerNetwork{"../x": {}}}},
		"unknown network": {a, Endpoint{ContainerID: "a", Networks: map[string]PerNetwork{"x": {}}}},
		"interface name":  {a, Endpoint{ContainerID: "a", Networks: map[string]PerNetwork{"podman": {InterfaceName: "a/b"}}}},
		"no network":      {a, Endpoint{ContainerID: "a"}},
	} {
		if _, err := w.m.Setup(t.Context(), try.ns, try.ep); err == nil {
			t.Errorf("%s: not refused", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	if left := (leases{w.m.leaseDir("podman")}).live(); len(left) > 0 {
		t.Errorf("leases are left: %v", left)
	}
}

// TestNetworks has a container on two networks, one of them internal, and two
// isolated ones.
func TestNetworks(t *testing.T) {
	w := newWorld(t)
	bridges := map[string]string{}
	for _, n := range []Network{
		{Name: "in", Internal: true, Subnets: []Subnet{{Subnet: parseSubnet(t, "10.90.2.0/24").Subnet, Gateway: net.IPv4(10, 90, 2, 1)}}},
		{Name: "iso1", Options: map[string]string{"isolate": "true"}},
		{Name: "iso2", Options: map[string]string{"isolate": "true"}},
		{Name: "apart", Options: map[string]string{"isolate": "strict"}},
		{Name: "six", IPv6Enabled: true, Subnets: []Subnet{parseSubnet(t, "10.90.1.0/24"), parseSubnet(t, "fd00:90::/64")}},
	} {
		made, err := w.m.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		bridges[n.Name] = made.NetworkInterface
	}
	on := func(id string, names ...string) (string, map[string]Status, Endpoint) {
		ep := Endpoint{ContainerID: id, Networks: map[string]PerNetwork{}}
		for _, n := range names {
			ep.Networks[n] = PerNetwork{}
		}
		ns := w.container(id)
		serve(t, ns, "tcp", ":80")
		return ns, w.setup(ns, ep), ep
	}
	_, a, _ := on("a", "in", "podman")
	in, _, _ := on("b", "in")
	_, c, _ := on("c", "iso1")
	iso2, _, _ := on("d", "iso2")
	_, strict, _ := on("g", "apart")
	other, _, _ := on("e", "podman")
	inNS(t, in, func() error {
		reach(t, "tcp4", ipOf(a, "in")+":80")
		if err := defaultRoute("eth0", net.IPv4(10, 90, 2, 1)); err != nil {
			return err
		}
		if _, err := ask("tcp4", ipOf(a, "podman")+":80"); err == nil {
			t.Error("an internal network has a way out")
		}
		return nil
	})
	inNS(t, other, func() error {
		reach(t, "tcp4", ipOf(a, "podman")+":80")
		reach(t, "tcp4", ipOf(c, "iso1")+":80") // which is apart from its like only
		if _, err := ask("tcp4", ipOf(strict, "apart")+":80"); err == nil {
			t.Error("a strictly isolated network is reached from one that isn't")
		}
		return nil
	})
	inNS(t, iso2, func() error {
		if _, err := ask("tcp4", ipOf(c, "iso1")+":80"); err == nil {
			t.Error("an isolated network is reached from another")
		}
		return nil
	})
	ns := w.container("f")
	serve(t, ns, "tcp", ":80")
	ep := Endpoint{ContainerID: "f", Networks: map[string]PerNetwork{"six": {StaticIPs: []net.IP{net.ParseIP("10.90.1.77"), net.ParseIP("fd00:90::77")},
		StaticMAC: "02:00:00:00:00:07", InterfaceName: "lan0"}}}
	var err error
	if ep.Ports, err = ParsePorts([]string{"8080:80", "[fd00:90::1]:8081:80"}); err != nil {
		t.Fatal(err)
	}
	status := w.setup(ns, ep)
	if got := status["six"].Interfaces["lan0"]; got.MAC != "02:00:00:00:00:07" || len(got.Subnets) != 2 || got.Subnets[1].IPNet.String() != "fd00:90::77/64" {
		t.Errorf("status %+v", status)
	}
	reach(t, "tcp4", "10.90.1.77:80")
	reach(t, "tcp6", "[fd00:90::77]:80")
	reach(t, "tcp4", "127.0.0.1:8080")
	reach(t, "tcp6", "[fd00:90::1]:8081")
	if err := w.m.Remove("six"); !errors.Is(err, errdef.ErrBusy) {
		t.Errorf("removing a network in use: %v", err)
	}
	w.teardown(ns, ep, status)
	RemoveNS(ns)
	if err := w.m.Remove("six"); err != nil {
		t.Error(err)
	}
	if _, err := netlink.LinkByName(bridges["six"]); err == nil {
		t.Error("the bridge is still there")
	}
}

func defaultRoute(link string, gateway net.IP) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Gw: gateway})
}

func parseSubnet(t *testing.T, s string) Subnet {
	t.Helper()
	n, err := ParseIPNet(s)
	if err != nil {
		t.Fatal(err)
	}
	return Subnet{Subnet: n}
}

// TestAtOnce starts containers side by side where nothing is there yet.
func TestAtOnce(t *testing.T) {
	w := newWorld(t)
	host, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	var all sync.WaitGroup
	ips := make([]string, 16)
	for i := range ips {
		id := fmt.Sprint("c", i)
		ns := w.container(id)
		ep := w.endpoint(id, fmt.Sprint(20000+i, ":80"))
		all.Go(func() {
			err := onOwnThread(func() error {
				if err := unix.Setns(int(host.Fd()), unix.CLONE_NEWNET); err != nil {
					return err
				}
				status, err := w.m.Setup(context.Background(), ns, ep)
				ips[i] = ipOf(status, "podman")
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	seen := map[string]bool{}
	for _, ip := range ips {
		if ip == "" || seen[ip] {
			t.Errorf("addresses %v", ips)
		}
		seen[ip] = true
	}
	if n := dump(t, "ports4"); n != 16 {
		t.Errorf("%d published ports, want 16", n)
	}
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	f := newFirewall()
	rules, err := c.GetRules(f.table, &nftables.Chain{Name: "prerouting", Table: f.table})
	if err != nil || len(rules) != 1 {
		t.Errorf("%d rules, want 1 (%v)", len(rules), err)
	}
}
