package rules

import (
	"encoding/binary"
	"iter"

	"golang.org/x/sys/unix"
)

// Kinds of messages.
const (
	newTable = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWTABLE
	delTable = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELTABLE
	newChain = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWCHAIN
	delChain = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELCHAIN
	newRule  = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWRULE
	getRule  = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE
	delRule  = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELRULE
	delSet   = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELSET
)

// headers is the length of a message's two headers: netlink's and netfilter's.
const headers = unix.NLMSG_HDRLEN + 4

// attrTable is the attribute that names the table, in messages of all kinds.
const attrTable = 1

// message is one netlink message of netfilter.
type message struct {
	kind   uint16
	portID uint32
	family byte
	whole  []byte // with its headers, aligned
	attrs  []byte
}

// messages goes through netlink messages that follow each other, and stops at
// one that is cut.
func messages(b []byte) iter.Seq[message] {
	return func(yield func(message) bool) {
		for len(b) >= unix.NLMSG_HDRLEN {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.NLMSG_HDRLEN || size > len(b) {
				return
			}
			next := min(align(size), len(b))
			m := message{kind: binary.NativeEndian.Uint16(b[4:]), portID: binary.NativeEndian.Uint32(b[12:]), whole: b[:next]}
			if size >= headers {
				m.family, m.attrs = b[unix.NLMSG_HDRLEN], b[headers:size]
			}
			if !yield(m) {
				return
			}
			b = b[next:]
		}
	}
}

func align(n int) int { return (n + 3) &^ 3 }

func countKind(b []byte, kind uint16) (n int) {
	for m := range messages(b) {
		if m.kind == kind {
			n++
		}
	}
	return n
}

// attribute returns the content of the first attribute of the kind.
func (m message) attribute(kind uint16) []byte {
	for b := m.attrs; len(b) >= 4; {
		size := int(binary.NativeEndian.Uint16(b))
		if size < 4 || size > len(b) {
			return nil
		}
		if binary.NativeEndian.Uint16(b[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) == kind {
			return b[4:size]
		}
		b = b[min(align(size), len(b)):]
	}
	return nil
}

// build makes a message of netfilter.
func build(kind, flags uint16, family byte, resource uint16, attrs ...[]byte) []byte {
	b := make([]byte, headers)
	for _, a := range attrs {
		b = append(b, a...)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], flags|unix.NLM_F_REQUEST)
	b[unix.NLMSG_HDRLEN] = family
	binary.BigEndian.PutUint16(b[unix.NLMSG_HDRLEN+2:], resource)
	return b
}

// attr makes an attribute of other attributes or of one value.
func attr(kind uint16, parts ...[]byte) []byte {
	b := make([]byte, 4)
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.NativeEndian.PutUint16(b, uint16(len(b)))
	binary.NativeEndian.PutUint16(b[2:], kind)
	return append(b, make([]byte, align(len(b))-len(b))...)
}

func text(s string) []byte   { return append([]byte(s), 0) }
func number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// emptyChain asks for the removal of all rules of the chain that is made by m.
func emptyChain(m message) []byte {
	const chainName, ruleChain = 3, 2
	return build(delRule, 0, m.family, 0, attr(attrTable, m.attribute(attrTable)), attr(ruleChain, m.attribute(chainName)))
}
