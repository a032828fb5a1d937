package sbom

import (
	"encoding/binary"
	"strings"
)

// sqliteFile is a database in the format of https://sqlite.org/fileformat.html,
// as far as reading the rows of a table takes it. A library for it is either
// SQLite itself, which is a third of this program, or doesn't read databases that were in
// WAL mode, as rpm's are.
type sqliteFile struct {
	data   []byte
	page   int // bytes
	usable int // of a page
	visits int // pages that may still be looked at: a file may lead in circles
}

const sqliteMagic = "SQLite format 3\x00"

// maxColumns is SQLite's own limit, where it isn't built with another.
const maxColumns = 2000

// tableBlobs gives the values of all blobs in the rows of a table.
func tableBlobs(data []byte, table string, each func(blob []byte)) error {
	if len(data) < 100 || string(data[:16]) != sqliteMagic {
		return invalid("it is no SQLite database")
	}
	f := &sqliteFile{data: data, page: int(binary.BigEndian.Uint16(data[16:]))}
	if f.page == 1 {
		f.page = 64 << 10
	}
	f.usable = f.page - int(data[20])
	if f.page < 512 || f.page&(f.page-1) != 0 || f.usable < 480 {
		return invalid("its pages have %d bytes", f.page)
	}
	f.visits = 2*len(data)/f.page + 2
	root := 0
	err := f.rows(1, 0, func(row []value) {
		if len(row) >= 4 && string(row[0].bytes) == "table" && strings.EqualFold(string(row[1].bytes), table) {
			root = int(row[3].number)
		}
	})
	if err != nil {
		return err
	}
	if root == 0 {
		return invalid("it has no table %s", table)
	}
	return f.rows(root, 0, func(row []value) {
		for _, v := range row {
			if v.blob {
				each(v.bytes)
			}
		}
	})
}

// value is a number, a text or a blob of a row.
type value struct {
	number int64
	bytes  []byte
	blob   bool
}

// pageAt is a page, numbered from 1, and where its header begins.
func (f *sqliteFile) pageAt(n int) ([]byte, int, error) {
	if f.visits--; f.visits < 0 {
		return nil, 0, invalid("its pages lead in circles")
	}
	if n < 1 || n > len(f.data)/f.page {
		return nil, 0, invalid("it has no page %d", n)
	}
	header := 0
	if n == 1 {
		header = 100
	}
	return f.data[(n-1)*f.page:][:f.page], header, nil
}

// rows goes through the tree of a table.
func (f *sqliteFile) rows(page, depth int, each func([]value)) error {
	const leaf, interior, maxDepth = 13, 5, 40
	p, h, err := f.pageAt(page)
	if err != nil {
		return err
	}
	kind, cells := p[h], int(binary.BigEndian.Uint16(p[h+3:]))
	pointers := h + 8
	if kind == interior {
		pointers = h + 12
	}
	if kind != leaf && kind != interior || depth > maxDepth || pointers+2*cells > len(p) {
		return invalid("page %d is none of a table", page)
	}
	room := len(p) // for cells: they may not overlap, or a small file had rows without end
	for i := range cells {
		at := int(binary.BigEndian.Uint16(p[pointers+2*i:]))
		if at+4 > len(p) {
			return invalid("page %d is broken", page)
		}
		if kind == interior {
			err = f.rows(int(binary.BigEndian.Uint32(p[at:])), depth+1, each)
		} else {
			var length int
			length, err = f.row(p[at:], each)
			room -= length
		}
		if err != nil {
			return err
		}
		if room < 0 {
			return invalid("the rows of page %d overlap", page)
		}
	}
	if kind == interior {
		return f.rows(int(binary.BigEndian.Uint32(p[h+8:])), depth+1, each)
	}
	return nil
}

// row reads a cell of a leaf: the size of its record, the row's number, the record.
// It gives the cell's length.
func (f *sqliteFile) row(cell []byte, each func([]value)) (length int, err error) {
	size, n := varint(cell)
	_, m := varint(cell[n:])
	if n == 0 || m == 0 || size < 0 || size > int64(len(f.data)) {
		return 0, invalid("a row is broken")
	}
	record, local, err := f.payload(cell[n+m:], int(size))
	if err != nil {
		return 0, err
	}
	row, ok := values(record)
	if !ok {
		return 0, invalid("a row is broken")
	}
	each(row)
	return n + m + local, nil
}

// payload puts a record together that may go on in other pages; so much of it is local.
func (f *sqliteFile) payload(cell []byte, size int) (record []byte, local int, err error) {
	most := f.usable - 35
	if size <= most {
		if size > len(cell) {
			return nil, 0, invalid("a row is broken")
		}
		return cell[:size], size, nil
	}
	least := (f.usable-12)*32/255 - 23
	keep := least + (size-least)%(f.usable-4)
	if keep > most {
		keep = least
	}
	if keep+4 > len(cell) {
		return nil, 0, invalid("a row is broken")
	}
	record = append(make([]byte, 0, size), cell[:keep]...)
	next := int(binary.BigEndian.Uint32(cell[keep:]))
	for len(record) < size {
		p, _, err := f.pageAt(next)
		if err != nil {
			return nil, 0, err
		}
		record = append(record, p[4:4+min(size-len(record), f.usable-4)]...)
		next = int(binary.BigEndian.Uint32(p))
	}
	return record, keep + 4, nil
}

// values reads a record: the size of its header, the kinds of its values, the values.
func values(record []byte) (row []value, ok bool) {
	headerSize, n := varint(record)
	if n == 0 || headerSize < int64(n) || headerSize > int64(len(record)) {
		return nil, false
	}
	header, body := record[n:headerSize], record[headerSize:]
	for len(header) > 0 {
		kind, n := varint(header)
		if n == 0 || kind < 0 || len(row) == maxColumns {
			return nil, false
		}
		header = header[n:]
		size := []int64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0}
		length := int64(0)
		if kind < int64(len(size)) {
			length = size[kind]
		} else {
			length = (kind - 12) / 2
		}
		if length > int64(len(body)) {
			return nil, false
		}
		v := value{bytes: body[:length]}
		switch {
		case kind == 9:
			v.number = 1
		case kind < 7:
			for _, b := range v.bytes {
				v.number = v.number<<8 | int64(b)
			}
		case kind >= 12:
			v.blob = kind%2 == 0
		}
		body, row = body[length:], append(row, v)
	}
	return row, true
}

// varint reads a number of one to nine bytes, seven bits in each but the ninth;
// n is 0 where there is none.
func varint(b []byte) (v int64, n int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | int64(b[i]), 9
		}
		v = v<<7 | int64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
