package runtime

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
)

// The operations of init/init.c; init/ops.h has the same list and says what
// the fields mean.
const (
	opSetns = 1 + iota
	opUnshare
	opFork
	opSync
	opBecomeRoot
	opProc
	opPropagation
	opRoot
	opHere
	opMount
	opCgroup2
	opBind
	opMkdir
	opSymlink
	opDevice
	opMask
	opReadonly
	opPivot
	opRootFlags
	opHostname
	opDomainname
	opSysctl
	opLabel
	opConsole
	opSetsid
	opStreams
	opKeyring
	opPersonality
	opBounding
	opUser
	opCapabilities
	opNoNewPrivs
	opSeccomp
	opUmask
	opChdir
	opFind
	opStart
	opExec
	opLoopback
	opNull
)

const (
	mountReal     = 1
	bindRecursive = 1
	bindAll       = 2
	readonlyMount = 1
	deviceBind    = 1
	consoleBind   = 1
	userGroups    = 1
	chdirTry      = 1
)

// op is one operation: struct op.
type op struct {
	code          uint32
	fd            int
	a, b, c       uint64
	s1, s2, s3, n uint32
}

const opSize = 48

// program is what the init image is to do, and what it needs for that.
type program struct {
	ops     []op
	about   []string // what each operation is for, for messages
	strings []byte
	keep    int        // descriptors for the command beyond the standard streams
	files   []*os.File // that operations name, closed by close
}

func newProgram(extra int) *program { return &program{strings: []byte{0}, keep: extra} }

func (p *program) add(about string, o op) {
	p.ops = append(p.ops, o)
	p.about = append(p.about, about)
}

// str stores a string and gives its offset.
func (p *program) str(s string) uint32 {
	if s == "" {
		return 0
	}
	return p.data(append([]byte(s), 0))
}

// list stores strings one behind the other.
func (p *program) list(all []string) uint32 {
	var data []byte
	for _, s := range all {
		data = append(append(data, s...), 0)
	}
	return p.data(data)
}

func (p *program) data(data []byte) uint32 {
	for len(p.strings)%8 != 0 { // instructions and groups are aligned
		p.strings = append(p.strings, 0)
	}
	at := uint32(len(p.strings))
	p.strings = append(p.strings, data...)
	return at
}

// file hands a file over and gives the descriptor it will have.
func (p *program) file(f *os.File) int {
	p.files = append(p.files, f)
	return 3 + p.keep + 2 + len(p.files) - 1
}

func (p *program) close() {
	for _, f := range p.files {
		f.Close()
	}
	p.files = nil
}

// bytes is the list as the init image reads it: struct program.
func (p *program) bytes() ([]byte, error) {
	header := 8 + opSize*len(p.ops)
	if header+len(p.strings) > math.MaxInt32 {
		return nil, fmt.Errorf("the container's settings are too large")
	}
	order := binary.NativeEndian
	out := make([]byte, 0, header+len(p.strings))
	out = order.AppendUint32(out, uint32(len(p.ops)))
	out = order.AppendUint32(out, uint32(header))
	for _, o := range p.ops {
		out = order.AppendUint32(out, o.code)
		out = order.AppendUint32(out, uint32(int32(o.fd)))
		for _, v := range []uint64{o.a, o.b, o.c} {
			out = order.AppendUint64(out, v)
		}
		for _, v := range []uint32{o.s1, o.s2, o.s3, o.n} {
			out = order.AppendUint32(out, v)
		}
	}
	return append(out, p.strings...), nil
}
