package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/podsuite/podsuite/shared/network/names"
)

// server has the sockets on which questions come in.
type server struct {
	dir     string
	view    atomic.Pointer[view]
	forward forwarder

	mu   sync.Mutex // of what follows
	open map[netip.AddrPort]*sockets
}

// sockets are one gateway's.
type sockets struct {
	udp *net.UDPConn
	tcp *net.TCPListener
}

func (s *sockets) close() {
	s.udp.Close()
	s.tcp.Close()
}

func newServer(dir string) *server {
	s := &server{dir: dir, open: map[netip.AddrPort]*sockets{}, forward: newForwarder()}
	s.view.Store(&view{})
	return s
}

// reload reads the tables, opens the sockets that are missing, and closes those
// that no network needs any more. It returns by network what went wrong.
func (s *server) reload() map[string]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, failed := readView(s.dir)
	fresh := map[netip.AddrPort]*sockets{}
	for _, z := range v.zones {
		for _, ip := range z.table.Listen {
			at := netip.AddrPortFrom(ip, z.table.Port)
			v.at[at] = z
			if s.open[at] != nil {
				continue
			}
			opened, err := listen(at)
			if err != nil {
				if failed[z.network] == nil {
					failed[z.network] = explain(err)
				}
				continue
			}
			s.open[at], fresh[at] = opened, opened
		}
	}
	s.view.Store(v)
	for at, sockets := range fresh {
		go s.serveUDP(sockets.udp, at)
		go s.serveTCP(sockets.tcp, at)
	}
	for at, sockets := range s.open {
		if v.at[at] == nil {
			sockets.close()
			delete(s.open, at)
		}
	}
	return failed
}

// readView reads all the tables.
func readView(dir string) (*view, map[string]error) {
	failed := map[string]error{}
	v := newView()
	all, err := names.Networks(dir)
	if err != nil && !os.IsNotExist(err) {
		failed[""] = err
	}
	slices.Sort(all)
	for _, network := range all {
		table, err := names.Read(dir, network)
		if err != nil {
			failed[network] = err
			continue
		}
		v.add(network, table)
	}
	return v, failed
}

func listen(at netip.AddrPort) (*sockets, error) {
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		udp.Close()
		return nil, err
	}
	return &sockets{udp, tcp}, nil
}

// servers are those that a client's questions go on to. A host that asks its
// containers' name server would have it ask itself.
func (s *server) servers(at netip.AddrPort, client netip.Addr) []netip.AddrPort {
	v := s.view.Load()
	all := v.servers(at, client)
	if len(all) == 0 {
		all = s.forward.hostServers()
	}
	var others []netip.AddrPort
	for _, ip := range all {
		if server := netip.AddrPortFrom(ip, 53); v.at[server] == nil {
			others = append(others, server)
		}
	}
	return others
}

// pause is how long a socket that fails is left alone.
const pause = 10 * time.Millisecond

// serveUDP answers what comes in by UDP until the socket is closed.
func (s *server) serveUDP(conn *net.UDPConn, at netip.AddrPort) {
	buf := make([]byte, maxUDP)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of memory
			time.Sleep(pause)
			continue
		}
		q, err := parse(buf[:n])
		if err != nil {
			continue
		}
		client := from.Addr().Unmap()
		if reply := s.view.Load().answer(q, at, client); reply != nil {
			conn.WriteToUDPAddrPort(q.fit(reply), from)
			continue
		}
		q.packet = slices.Clone(q.packet)
		servers := s.servers(at, client)
		s.forward.start(client, func() {
			reply := s.forward.ask("udp", servers, q)
			conn.WriteToUDPAddrPort(q.fit(reply), from)
		})
	}
}

// serveTCP answers what comes in by TCP until the socket is closed.
func (s *server) serveTCP(l *net.TCPListener, at netip.AddrPort) {
	for {
		conn, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors
			time.Sleep(pause)
			continue
		}
		client := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if !s.forward.start(client, func() { s.serveConn(conn, at, client) }) {
			conn.Close()
		}
	}
}

// serveConn answers one connection's questions in turn.
func (s *server) serveConn(conn *net.TCPConn, at netip.AddrPort, client netip.Addr) {
	defer conn.Close()
	for {
		conn.SetDeadline(time.Now().Add(idleTCP))
		packet, err := readTCP(conn)
		if err != nil {
			return
		}
		q, err := parse(packet)
		if err != nil {
			return
		}
		reply := s.view.Load().answer(q, at, client)
		if reply == nil {
			reply = s.forward.ask("tcp", s.servers(at, client), q)
		}
		conn.SetDeadline(time.Now().Add(idleTCP))
		if writeTCP(conn, reply) != nil {
			return
		}
	}
}
