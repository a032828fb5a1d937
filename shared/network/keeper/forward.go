package main

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	perServer   = 2 * time.Second // one server's time to answer
	rounds      = 2               // of asking all servers
	idleTCP     = 10 * time.Second
	perClient   = 64  // questions of one container that wait at a time
	perKeeper   = 512 // of all
	rememberFor = time.Second
)

// forwarder passes questions on to other servers.
type forwarder struct {
	mu       sync.Mutex
	waiting  map[netip.Addr]int
	total    int
	host     []netip.Addr
	patience time.Duration // with one server
	read     time.Time     // when host was read
}

func newForwarder() forwarder { return forwarder{waiting: map[netip.Addr]int{}, patience: perServer} }

// start does work for a client beside the others', unless too much of it is
// under way: one container must not keep the others from getting answers.
func (f *forwarder) start(client netip.Addr, work func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting[client] >= perClient || f.total >= perKeeper {
		return false
	}
	f.waiting[client]++
	f.total++
	go func() {
		work()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.total--; f.waiting[client] == 1 {
			delete(f.waiting, client)
		} else {
			f.waiting[client]--
		}
	}()
	return true
}

// ask asks the servers until one has an answer.
func (f *forwarder) ask(network string, servers []netip.AddrPort, q *question) []byte {
	var refused []byte
	for range rounds {
		for _, server := range servers {
			reply, code, err := f.exchange(network, server, q)
			switch {
			case err != nil:
			case code == dnsmessage.RCodeServerFailure || code == dnsmessage.RCodeRefused || code == dnsmessage.RCodeNotImplemented:
				refused = reply
			default:
				return reply
			}
		}
		if refused != nil {
			return refused
		}
	}
	return q.fail()
}

// exchange asks one server. The query goes under a number of its own from a
// port of its own, so that the container that asks can't forge the answer.
func (f *forwarder) exchange(network string, server netip.AddrPort, q *question) ([]byte, dnsmessage.RCode, error) {
	conn, err := net.DialTimeout(network, server.String(), f.patience)
	if err != nil {
		return nil, 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(f.patience))
	query := slices.Clone(q.packet)
	rand.Read(query[:2])
	if network == "tcp" {
		err = writeTCP(conn, query)
	} else {
		_, err = conn.Write(query)
	}
	buf := make([]byte, maxUDP+1) // so that one that was cut is too large for the client, too
	for err == nil {
		var reply []byte
		if network == "tcp" {
			reply, err = readTCP(conn)
		} else {
			var n int
			n, err = conn.Read(buf)
			reply = buf[:n]
		}
		if err != nil {
			break
		}
		if code, ok := q.answeredBy(reply, binary.BigEndian.Uint16(query)); ok {
			binary.BigEndian.PutUint16(reply, q.header.ID)
			return reply, code, nil
		}
	}
	return nil, 0, err
}

// answeredBy tells whether the packet is a reply to the question under the
// number.
func (q *question) answeredBy(packet []byte, id uint16) (dnsmessage.RCode, bool) {
	var p dnsmessage.Parser
	h, err := p.Start(packet)
	if err != nil || !h.Response || h.ID != id {
		return 0, false
	}
	asked, err := p.Question()
	if err == dnsmessage.ErrSectionDone { // as some servers refuse
		return h.RCode, h.RCode != dnsmessage.RCodeSuccess
	}
	return h.RCode, err == nil && asked.Type == q.kind && asked.Class == q.class && strings.EqualFold(asked.Name.String(), q.asked.Name.String())
}

// hostServers are the host's own servers, as its resolver's configuration has
// them now.
func (f *forwarder) hostServers() []netip.Addr {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.read) < rememberFor {
		return f.host
	}
	f.host, f.read = nil, time.Now()
	file, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if ip, err := netip.ParseAddr(fields[1]); err == nil {
			f.host = append(f.host, ip)
		}
	}
	return f.host
}
