package network

import (
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// The registers that rules use: the first, and the 4-byte ones that follow.
const (
	reg1   = unix.NFT_REG_1
	reg32  = unix.NFT_REG32_00
	local  = 2    // RTN_LOCAL, the address type of the host's own addresses
	dnated = 0x20 // IPS_DST_NAT, a bit of a connection's status
)

// is matches packets of the family.
func (v *familySets) is() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: reg1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: []byte{v.family}},
	}
}

// load puts an address of the packet into the first register.
func (v *familySets) load(offset uint32) []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: v.length}}
}

// loopback matches 127.0.0.0/8 or ::1.
func (v *familySets) loopback(offset uint32) []expr.Any {
	if v.family == unix.NFPROTO_IPV4 {
		return []expr.Any{
			&expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 1},
			&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: []byte{127}},
		}
	}
	one := make([]byte, 16)
	one[15] = 1
	return append(v.load(offset), &expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: one})
}

// notMulticast matches destinations that are not 224.0.0.0/4 or ff00::/8.
func (v *familySets) notMulticast() []expr.Any {
	mask, value := byte(0xf0), byte(0xe0)
	if v.family == unix.NFPROTO_IPV6 {
		mask, value = 0xff, 0xff
	}
	return []expr.Any{
		&expr.Payload{DestRegister: reg1, Base: expr.PayloadBaseNetworkHeader, Offset: v.dest, Len: 1},
		&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 1, Mask: []byte{mask}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg1, Data: []byte{value}},
	}
}

// dnat sends the packet where the map says for its protocol and port, and its
// destination address where the key has one. What the map doesn't know goes on.
func (v *familySets) dnat(m *nftables.Set, withAddress bool) []expr.Any {
	reg := uint32(reg32)
	var e []expr.Any
	if withAddress {
		e = append(e, &expr.Payload{DestRegister: reg, Base: expr.PayloadBaseNetworkHeader, Offset: v.dest, Len: v.length})
		reg += v.length / 4
	}
	return append(e,
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg},
		&expr.Payload{DestRegister: reg + 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Lookup{SourceRegister: reg32, DestRegister: reg32, IsDestRegSet: true, SetName: m.Name, SetID: m.ID},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(v.family), RegAddrMin: reg32, RegProtoMin: reg32 + v.length/4},
	)
}

func in(s *nftables.Set) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: reg1, SetName: s.Name, SetID: s.ID}}
}

func linkIn(key expr.MetaKey, s *nftables.Set) []expr.Any {
	return append([]expr.Any{&expr.Meta{Key: key, Register: reg1}}, in(s)...)
}

// samePair loads the packet's two links, for the set of equal pairs.
func samePair() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg1},
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: reg1 + 1},
	}
}

func destinationIsLocal() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: reg1, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: reg1, Data: binaryutil.NativeEndian.PutUint32(local)},
	}
}

// redirected matches connections whose destination was translated.
func redirected() []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATUS, Register: reg1},
		&expr.Bitwise{SourceRegister: reg1, DestRegister: reg1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(dnated), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: reg1, Data: make([]byte, 4)},
	}
}

func masquerade() []expr.Any { return []expr.Any{&expr.Masq{}} }

func verdict(kind expr.VerdictKind, chain string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: kind, Chain: chain}}
}
