package unpack

import "encoding/binary"

// checksum is the CRC-64 of tar-split: that of ISO 3309, as crc64.ISO of the
// standard library. Its polynomial has so few terms, x^64 + x^4 + x^3 + x + 1,
// that a few shifts take eight bytes on; tables take several times as long. Bit
// 63 is the coefficient of x^0: multiplying by x shifts to the right.
type checksum uint64

// Write adds to the sum. It never fails.
func (c *checksum) Write(p []byte) (int, error) {
	n, sum := len(p), ^uint64(*c)
	if len(p) >= 64 {
		sum, p = fourLanes(sum, p)
	}
	for ; len(p) >= 8; p = p[8:] {
		sum = by64(sum ^ binary.LittleEndian.Uint64(p))
	}
	for _, b := range p {
		sum = sum>>8 ^ reduced(uint64(byte(sum)^b)<<56)
	}
	*c = checksum(^sum)
	return n, nil
}

// Sum is the sum as tar-split has it.
func (c *checksum) Sum() []byte { return binary.BigEndian.AppendUint64(nil, uint64(*c)) }

// fourLanes takes 32 bytes at a time: four sums that don't wait for each other.
// It leaves less than 32 bytes.
func fourLanes(sum uint64, p []byte) (uint64, []byte) {
	a, b, c, d := sum, uint64(0), uint64(0), uint64(0)
	for ; len(p) >= 64; p = p[32:] {
		a = by256(a ^ binary.LittleEndian.Uint64(p))
		b = by256(b ^ binary.LittleEndian.Uint64(p[8:]))
		c = by256(c ^ binary.LittleEndian.Uint64(p[16:]))
		d = by256(d ^ binary.LittleEndian.Uint64(p[24:]))
	}
	a = by64(a ^ binary.LittleEndian.Uint64(p))
	a = by64(a ^ b ^ binary.LittleEndian.Uint64(p[8:]))
	a = by64(a ^ c ^ binary.LittleEndian.Uint64(p[16:]))
	a = by64(a ^ d ^ binary.LittleEndian.Uint64(p[24:]))
	return a, p[32:]
}

// by64 multiplies by x^64, which is x^4 + x^3 + x + 1.
func by64(v uint64) uint64 {
	return v ^ v>>1 ^ v>>3 ^ v>>4 ^ reduced(v<<63^v<<61^v<<60)
}

// by256 multiplies by x^256, which is x^16 + x^12 + x^4 + 1.
func by256(v uint64) uint64 {
	return v ^ v>>4 ^ v>>12 ^ v>>16 ^ reduced(v<<60^v<<52^v<<48)
}

// reduced gives the remainder of what a shift has pushed out, at most 60 bits.
func reduced(v uint64) uint64 { return v ^ v>>1 ^ v>>3 ^ v>>4 }
