package sbom

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// The tags of an rpm header that are read.
const (
	rpmName    = 1000
	rpmVersion = 1001
	rpmRelease = 1002
	rpmEpoch   = 1003
	rpmVendor  = 1011
	rpmLicense = 1014
	rpmArch    = 1022
	rpmSource  = 1044
)

// maxText is the size of the longest text of a tag that is read, in bytes.
const maxText = 64 << 10

// wanted tells whether a tag is read.
func wanted(tag uint32) bool {
	switch tag {
	case rpmName, rpmVersion, rpmRelease, rpmEpoch, rpmVendor, rpmLicense, rpmArch, rpmSource:
		return true
	}
	return false
}

// readRPM reads rpm's database: a table of SQLite with a header in each row.
func readRPM(data []byte) (found []Package, err error) {
	err = tableBlobs(data, "Packages", func(header []byte) {
		tags, ok := rpmTags(header)
		if !ok || tags[rpmName] == "" || tags[rpmName] == "gpg-pubkey" {
			return
		}
		version := tags[rpmVersion]
		if tags[rpmRelease] != "" {
			version += "-" + tags[rpmRelease]
		}
		if tags[rpmEpoch] != "" {
			version = tags[rpmEpoch] + ":" + version
		}
		found = append(found, Package{
			Type: typeRPM, Name: tags[rpmName], Version: version, Arch: tags[rpmArch],
			License: tags[rpmLicense], Supplier: tags[rpmVendor], Source: tags[rpmSource],
		})
	})
	return found, err
}

// rpmTags reads the texts and the epoch of a header: the numbers of entries and
// of bytes of data, the entries (tag, type, offset, count), the data.
func rpmTags(header []byte) (map[uint32]string, bool) {
	const entrySize, typeNumber, typeText, typeTextI18N = 16, 4, 6, 9
	if len(header) < 8 {
		return nil, false
	}
	entries, size := binary.BigEndian.Uint32(header), binary.BigEndian.Uint32(header[4:])
	start := 8 + uint64(entries)*entrySize
	if start+uint64(size) > uint64(len(header)) {
		return nil, false
	}
	data := header[start : start+uint64(size)]
	tags := map[uint32]string{}
	for i := range entries {
		entry := header[8+i*entrySize:]
		tag, kind, offset := binary.BigEndian.Uint32(entry), binary.BigEndian.Uint32(entry[4:]), binary.BigEndian.Uint32(entry[8:])
		if _, twice := tags[tag]; twice || !wanted(tag) || uint64(offset) >= uint64(len(data)) {
			continue // a header of many entries may name the same long text in each
		}
		tags[tag] = ""
		at := data[offset:min(uint64(len(data)), uint64(offset)+maxText)]
		switch end := bytes.IndexByte(at, 0); {
		case (kind == typeText || kind == typeTextI18N) && end >= 0:
			tags[tag] = string(at[:end])
		case kind == typeNumber && len(at) >= 4:
			tags[tag] = strconv.FormatUint(uint64(binary.BigEndian.Uint32(at)), 10)
		}
	}
	return tags, true
}
