package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/podsuite/podsuite/shared/network/names"
)

// world is a server on the loopback and the directory of its tables.
type world struct {
	*testing.T
	s   *server
	dir string
	at  netip.AddrPort
}

func newWorld(t *testing.T) *world {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	w := &world{T: t, dir: t.TempDir(), at: l.Addr().(*net.TCPAddr).AddrPort()}
	w.s = newServer(w.dir)
	t.Cleanup(func() {
		for _, s := range w.s.open {
			s.close()
		}
	})
	return w
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// table writes a network's table that answers at the world's address.
func (w *world) table(network string, t names.Table) {
	w.Helper()
	t.Listen, t.Port = []netip.Addr{w.at.Addr()}, w.at.Port()
	if err := t.Write(w.dir, network); err != nil {
		w.Fatal(err)
	}
	if err := w.s.reload()[network]; err != nil {
		w.Fatal(err)
	}
}

func query(t *testing.T, name string, kind dnsmessage.Type) []byte {
	t.Helper()
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 4711, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}}}
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

// exchange asks the server and returns the sorted answers, or the reply's code.
func (w *world) exchange(network, name string, kind dnsmessage.Type) string {
	w.Helper()
	conn, err := net.Dial(network, w.at.String())
	if err != nil {
		w.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	packet := query(w.T, name, kind)
	if network == "tcp" {
		if err := writeTCP(conn, packet); err != nil {
			w.Fatal(err)
		}
		if packet, err = readTCP(conn); err != nil {
			return err.Error()
		}
	} else {
		conn.Write(packet)
		packet = make([]byte, maxUDP)
		n, err := conn.Read(packet)
		if err != nil {
			return err.Error()
		}
		packet = packet[:n]
	}
	return describe(w.T, packet)
}

func describe(t *testing.T, packet []byte) string {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		t.Fatal(err)
	}
	if !m.Response || m.ID != 4711 || len(m.Questions) != 1 {
		t.Errorf("no reply to the question: %+v", m.Header)
	}
	if m.Truncated {
		return "truncated"
	}
	var all []string
	for _, a := range m.Answers {
		switch body := a.Body.(type) {
		case *dnsmessage.AResource:
			all = append(all, netip.AddrFrom4(body.A).String())
		case *dnsmessage.AAAAResource:
			all = append(all, netip.AddrFrom16(body.AAAA).String())
		case *dnsmessage.PTRResource:
			all = append(all, body.PTR.String())
		}
	}
	slices.Sort(all)
	return strings.TrimSpace(strings.TrimPrefix(m.RCode.String(), "RCode") + " " + strings.Join(all, " "))
}

func TestAnswers(t *testing.T) {
	w := newWorld(t)
	me := names.Container{ID: "me", Names: []string{"me"}, Addresses: []netip.Addr{w.at.Addr()}}
	web := names.Container{ID: "web", Names: []string{"web", "WWW", "0123456789ab"}, Addresses: []netip.Addr{addr("10.1.0.2"), addr("fd01::2")}}
	db := names.Container{ID: "db", Names: []string{"db", "www", strings.Repeat("x", 64), "a..b"}, Addresses: []netip.Addr{addr("10.1.0.3")}}
	w.table("one", names.Table{Internal: true, Containers: []names.Container{me, web, db}})
	other := names.Table{Internal: true, Containers: []names.Container{{ID: "me", Names: []string{"me"}, Addresses: []netip.Addr{addr("10.2.0.9")}},
		{ID: "far", Names: []string{"far"}, Addresses: []netip.Addr{addr("10.2.0.2")}}}}
	if err := other.Write(w.dir, "two"); err != nil {
		t.Fatal(err)
	}
	strange := names.Table{Internal: true, Containers: []names.Container{{ID: "x", Names: []string{"strange"}, Addresses: []netip.Addr{addr("10.3.0.2")}}}}
	if err := strange.Write(w.dir, "three"); err != nil {
		t.Fatal(err)
	}
	w.s.reload()
	for _, q := range []struct {
		name string
		kind dnsmessage.Type
		want string
	}{
		{"web.", dnsmessage.TypeA, "Success 10.1.0.2"},
		{"WEB.dns.Podman.", dnsmessage.TypeAAAA, "Success fd01::2"},
		{"www.", dnsmessage.TypeA, "Success 10.1.0.2 10.1.0.3"},
		{"0123456789ab.dns.podman.", dnsmessage.TypeA, "Success 10.1.0.2"},
		{"db.", dnsmessage.TypeAAAA, "Success"}, // it is there, without such an address
		{"db.", dnsmessage.TypeMX, "Success"},
		{"far.", dnsmessage.TypeA, "Success 10.2.0.2"}, // on the client's other network
		{"strange.", dnsmessage.TypeA, "NameError"},    // on none of its own
		{"nosuch.dns.podman.", dnsmessage.TypeA, "NameError"},
		{"example.org.", dnsmessage.TypeA, "NameError"}, // no network leads out
		{"2.0.1.10.in-addr.arpa.", dnsmessage.TypePTR, "Success 0123456789ab. WWW. web."},
		{"2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.d.f.ip6.arpa.", dnsmessage.TypePTR, "Success 0123456789ab. WWW. web."},
		{"3.0.1.10.in-addr.arpa.", dnsmessage.TypePTR, "Success db. www."}, // what is no name in DNS is left out
		{"9.0.1.10.in-addr.arpa.", dnsmessage.TypePTR, "NameError"},
	} {
		for _, network := range []string{"udp", "tcp"} {
			if got := w.exchange(network, q.name, q.kind); got != q.want {
				t.Errorf("%s %s by %s: %q, want %q", q.name, q.kind, network, got, q.want)
			}
		}
	}
}

// TestNothingIsDropped looks names up while containers come and go.
func TestNothingIsDropped(t *testing.T) {
	w := newWorld(t)
	stays := names.Container{ID: "stays", Names: []string{"stays"}, Addresses: []netip.Addr{addr("10.1.0.2")}}
	w.table("one", names.Table{Containers: []names.Container{stays}})
	stop, stopped := make(chan bool), make(chan int)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- i
				return
			default:
				c := names.Container{ID: fmt.Sprint(i), Names: []string{fmt.Sprint("c", i)}, Addresses: []netip.Addr{addr("10.1.0.3")}}
				w.table("one", names.Table{Containers: []names.Container{stays, c}})
			}
		}
	}()
	for range 1000 {
		if got := w.exchange("udp", "stays.", dnsmessage.TypeA); got != "Success 10.1.0.2" {
			t.Fatal(got)
		}
	}
	close(stop)
	if n := <-stopped; n == 0 {
		t.Error("nothing came or went")
	}
	(&names.Table{}).Write(w.dir, "one")
	w.s.reload()
	if zones := w.s.view.Load().zones; len(zones) != 0 || len(w.s.open) != 0 {
		t.Errorf("%d networks and %d sockets are left", len(zones), len(w.s.open))
	}
}

// upstream answers on a port of its own with what reply makes of a question.
func upstream(t *testing.T, reply func(m *dnsmessage.Message)) netip.AddrPort {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, maxUDP)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Response = true
			reply(&m)
			packet, _ := m.Pack()
			conn.WriteToUDPAddrPort(packet, from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestForward(t *testing.T) {
	says := func(ip string) func(*dnsmessage.Message) {
		return func(m *dnsmessage.Message) {
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: addr(ip).As4()}}}
		}
	}
	good := upstream(t, says("192.0.2.1"))
	refuses := upstream(t, func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeRefused })
	sent := 0
	forges := upstream(t, func(m *dnsmessage.Message) { // the first reply is to another question
		if sent++; sent == 1 {
			m.ID++
		}
		says("192.0.2.66")(m)
	})
	answered := 0
	mistakes := upstream(t, func(m *dnsmessage.Message) { // another name than that which was asked for
		if answered++; answered == 1 {
			m.Questions[0].Name = dnsmessage.MustNewName("example.com.")
		}
		says("192.0.2.67")(m)
	})
	q, err := parse(query(t, "example.org.", dnsmessage.TypeA))
	if err != nil {
		t.Fatal(err)
	}
	f := newForwarder()
	f.patience = 100 * time.Millisecond
	for _, try := range []struct {
		servers []netip.AddrPort
		want    string
	}{
		{[]netip.AddrPort{good}, "Success 192.0.2.1"},
		{[]netip.AddrPort{refuses, good}, "Success 192.0.2.1"},
		{[]netip.AddrPort{refuses}, "Refused"},
		{[]netip.AddrPort{forges, good}, "Success 192.0.2.1"},
		{[]netip.AddrPort{mistakes, good}, "Success 192.0.2.1"},
		{nil, "ServerFailure"},
	} {
		if got := describe(t, f.ask("udp", try.servers, q)); got != try.want {
			t.Errorf("%v: %q, want %q", try.servers, got, try.want)
		}
	}
}

// TestNobodyAsksItself has a host that asks a network's name server.
func TestNobodyAsksItself(t *testing.T) {
	s, v := newServer(t.TempDir()), newView()
	own := netip.AddrPortFrom(addr("10.1.0.1"), 53)
	v.at[own] = &zone{table: names.Table{Servers: []netip.Addr{own.Addr(), addr("192.0.2.1")}}}
	s.view.Store(v)
	if got := fmt.Sprint(s.servers(own, addr("10.1.0.2"))); got != "[192.0.2.1:53]" {
		t.Error(got)
	}
}

// TestOneClientLeavesRoom: what one container has waiting is bounded.
func TestOneClientLeavesRoom(t *testing.T) {
	f := newForwarder()
	block := make(chan bool)
	for range perClient {
		if !f.start(addr("10.1.0.2"), func() { <-block }) {
			t.Fatal("refused too early")
		}
	}
	if f.start(addr("10.1.0.2"), func() {}) {
		t.Error("one container has more questions waiting than it may")
	}
	done := make(chan bool)
	if !f.start(addr("10.1.0.3"), func() { close(done) }) {
		t.Fatal("another is kept from asking")
	}
	<-done
	for i := perClient; f.start(addr(fmt.Sprintf("10.1.1.%d", i/perClient)), func() { <-block }); i++ {
		if i > perKeeper {
			t.Fatal("all of them have more questions waiting than they may")
		}
	}
	close(block)
}

func TestLargeAnswers(t *testing.T) {
	w := newWorld(t)
	c := names.Container{ID: "many", Names: []string{"many"}}
	for i := range 100 {
		c.Addresses = append(c.Addresses, addr(fmt.Sprintf("10.1.1.%d", i)))
	}
	w.table("one", names.Table{Containers: []names.Container{c}})
	if got := w.exchange("udp", "many.", dnsmessage.TypeA); got != "truncated" {
		t.Errorf("by UDP: %q", got)
	}
	if got := strings.Count(w.exchange("tcp", "many.", dnsmessage.TypeA), "10.1.1."); got != 100 {
		t.Errorf("by TCP: %d answers", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x12\x67\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x03web\x00\x00\x01\x00\x01\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		q, err := parse(packet)
		if err != nil {
			return
		}
		v := newView()
		v.add("one", names.Table{Listen: []netip.Addr{addr("10.1.0.1")}, Port: 53, Internal: true, Containers: []names.Container{{ID: "x", Names: []string{"web"}, Addresses: []netip.Addr{addr("10.1.0.2")}}}})
		at := netip.MustParseAddrPort("10.1.0.1:53")
		v.at[at] = v.zones[0]
		if reply := v.answer(q, at, addr("10.1.0.2")); len(q.fit(reply)) > q.room {
			t.Errorf("a reply of %d bytes for room of %d", len(reply), q.room)
		}
	})
}
