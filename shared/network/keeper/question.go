package main

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// Sizes of packets in bytes.
const (
	maxUDP   = 4096 // what is read, and the most that is sent
	plainUDP = 512  // what a client takes that says nothing else
)

// question is a query of one question.
type question struct {
	packet []byte
	header dnsmessage.Header
	asked  dnsmessage.Question
	name   string // in lower case, without the dot at the end
	kind   dnsmessage.Type
	class  dnsmessage.Class
	room   int  // bytes that a reply by UDP may have
	edns   bool // the client speaks EDNS(0), RFC 6891
}

// parse reads a query; what isn't one is an error, and gets no reply.
func parse(packet []byte) (*question, error) {
	q := &question{packet: packet, room: plainUDP}
	var p dnsmessage.Parser
	var err error
	if q.header, err = p.Start(packet); err != nil {
		return nil, err
	}
	if q.header.Response || q.header.OpCode != 0 {
		return nil, errors.New("no query")
	}
	if q.asked, err = p.Question(); err != nil {
		return nil, err
	}
	if _, err = p.Question(); err != dnsmessage.ErrSectionDone {
		return nil, errors.New("several questions")
	}
	q.kind, q.class = q.asked.Type, q.asked.Class
	q.name = strings.ToLower(strings.TrimSuffix(q.asked.Name.String(), "."))
	if p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return q, nil
	}
	for {
		h, err := p.AdditionalHeader()
		if err != nil {
			return q, nil
		}
		if h.Type == dnsmessage.TypeOPT {
			q.edns, q.room = true, min(max(int(h.Class), plainUDP), maxUDP)
		}
		if p.SkipAdditional() != nil {
			return q, nil
		}
	}
}

// reply makes a reply; add puts the answers in, and may be nil.
func (q *question) reply(code dnsmessage.RCode, add func(*dnsmessage.Builder) error) []byte {
	h := dnsmessage.Header{ID: q.header.ID, Response: true, Authoritative: true, RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true, RCode: code}
	b := dnsmessage.NewBuilder(make([]byte, 0, plainUDP), h)
	b.EnableCompression()
	err := errors.Join(b.StartQuestions(), b.Question(q.asked), b.StartAnswers())
	if err == nil && add != nil {
		err = add(&b)
	}
	if err == nil && q.edns {
		var opt dnsmessage.ResourceHeader
		err = errors.Join(b.StartAdditionals(), opt.SetEDNS0(maxUDP, dnsmessage.RCodeSuccess, false), b.OPTResource(opt, dnsmessage.OPTResource{}))
	}
	packet, ferr := b.Finish()
	if err != nil || ferr != nil {
		return q.fail()
	}
	return packet
}

// fail is the reply of a server that can't tell: the query's header and
// question as they came.
func (q *question) fail() []byte {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: q.header.ID, Response: true, RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true, RCode: dnsmessage.RCodeServerFailure})
	_ = b.StartQuestions() // which fails only after other sections
	_ = b.Question(q.asked)
	packet, _ := b.Finish()
	return packet
}

// addresses replies with those of the family that was asked for. A time to
// live of zero keeps anybody from remembering what may change at any time.
func (q *question) addresses(all []netip.Addr) []byte {
	return q.reply(dnsmessage.RCodeSuccess, func(b *dnsmessage.Builder) error {
		h := dnsmessage.ResourceHeader{Name: q.asked.Name, Class: q.class}
		for _, ip := range all {
			var err error
			switch {
			case ip.Is4() && q.kind == dnsmessage.TypeA:
				err = b.AResource(h, dnsmessage.AResource{A: ip.As4()})
			case ip.Is6() && q.kind == dnsmessage.TypeAAAA:
				err = b.AAAAResource(h, dnsmessage.AAAAResource{AAAA: ip.As16()})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// pointers replies with the names of an address.
func (q *question) pointers(all []string) []byte {
	return q.reply(dnsmessage.RCodeSuccess, func(b *dnsmessage.Builder) error {
		h := dnsmessage.ResourceHeader{Name: q.asked.Name, Class: q.class}
		for _, name := range all {
			ptr, err := dnsmessage.NewName(name + ".")
			if err != nil {
				return err
			}
			if err := b.PTRResource(h, dnsmessage.PTRResource{PTR: ptr}); err != nil {
				return err
			}
		}
		return nil
	})
}

// fit is the reply if a datagram to the client has room for it, else one that
// has the client ask again by TCP.
func (q *question) fit(reply []byte) []byte {
	if len(reply) <= q.room {
		return reply
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: q.header.ID, Response: true, Truncated: true, RecursionDesired: q.header.RecursionDesired, RecursionAvailable: true})
	_ = b.StartQuestions()
	_ = b.Question(q.asked)
	packet, _ := b.Finish()
	return packet
}

// readTCP reads a packet behind its length.
func readTCP(conn net.Conn) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	packet := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(conn, packet)
	return packet, err
}

func writeTCP(conn net.Conn, packet []byte) error {
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(packet)), uint16(len(packet))), packet...))
	return err
}
