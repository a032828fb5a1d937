package unpack

import (
	"bytes"
	"hash/crc64"
	"math/rand/v2"
	"testing"
)

func TestChecksum(t *testing.T) {
	rng := rand.NewChaCha8([32]byte{})
	data := make([]byte, 1000)
	_, _ = rng.Read(data)
	for size := range data {
		cut := int(rng.Uint64() % uint64(size+1))
		var have checksum
		_, _ = have.Write(data[:cut])
		_, _ = have.Write(data[cut:size])
		want := crc64.New(crc64.MakeTable(crc64.ISO))
		_, _ = want.Write(data[:size])
		if !bytes.Equal(have.Sum(), want.Sum(nil)) {
			t.Fatalf("the sum of %d bytes, cut at %d: got %x, want %x", size, cut, have.Sum(), want.Sum(nil))
		}
	}
}
