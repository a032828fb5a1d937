package imgcopy

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"runtime"

	"github.com/klauspost/compress/flate"
)

const (
	// gzipBlock is how much of a layer is compressed at a time, in bytes.
	gzipBlock = 1 << 20
	// gzipWindow is how far back deflate looks.
	gzipWindow = 32 << 10
	// maxGzipWorkers bounds the memory that compressing takes, about 3 MB for
	// each worker.
	maxGzipWorkers = 8
)

// gzipHeader is that of a stream without a name, a time or an operating system.
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// gzipper compresses layers block by block on all processors. Workers and
// blocks are shared by the layers of a copy, so that neither a large layer
// waits for one processor nor many layers take much memory. What comes out
// depends on the content and the level alone.
type gzipper struct {
	workers chan *flate.Writer
	blocks  chan *zipBlock
	ahead   int // blocks that one layer may have under way
}

// zipBlock is a piece of a layer on its way.
type zipBlock struct {
	dict  []byte // the end of the piece before
	in    []byte
	out   bytes.Buffer
	last  bool
	err   error // of reading in; what was read before counts
	ready chan struct{}
}

func newGzipper(level int) (*gzipper, error) {
	n := min(runtime.GOMAXPROCS(0), maxGzipWorkers)
	z := &gzipper{workers: make(chan *flate.Writer, n), ahead: n + 1}
	for range n {
		w, err := flate.NewWriter(io.Discard, level)
		if err != nil {
			return nil, err
		}
		z.workers <- w
	}
	z.blocks = make(chan *zipBlock, 2*z.ahead)
	for range cap(z.blocks) {
		z.blocks <- &zipBlock{}
	}
	return z, nil
}

// compress gives r's content compressed. r is closed with it.
func (z *gzipper) compress(r io.ReadCloser) io.ReadCloser {
	g := &gzipReader{z: z, src: r, order: make(chan *zipBlock, z.ahead), stop: make(chan struct{})}
	g.rest = []byte(gzipHeader)
	go g.feed()
	return g
}

// gzipReader is one layer.
type gzipReader struct {
	z     *gzipper
	src   io.ReadCloser
	order chan *zipBlock // in the order of the content; closed at its end
	stop  chan struct{}  // closed when nobody reads any more

	cur  *zipBlock
	rest []byte
	err  error
}

// feed reads the source and starts the compression of each piece.
func (g *gzipReader) feed() {
	defer close(g.order)
	var dict []byte
	sum, size := uint32(0), uint32(0)
	for {
		var b *zipBlock
		select {
		case b = <-g.z.blocks:
		case <-g.stop:
			return
		}
		b.fill(g.src, dict)
		sum, size = crc32.Update(sum, crc32.IEEETable, b.in), size+uint32(len(b.in))
		dict = append(dict[:0], b.in[max(0, len(b.in)-gzipWindow):]...)
		last, failed := b.last, b.err != nil
		go g.z.run(b, sum, size)
		select {
		case g.order <- b:
		case <-g.stop:
			g.z.giveBack(b)
			return
		}
		if last || failed {
			return
		}
	}
}

// fill reads the next piece.
func (b *zipBlock) fill(r io.Reader, dict []byte) {
	if b.in == nil {
		b.in = make([]byte, 0, gzipBlock)
	}
	b.dict = append(b.dict[:0], dict...)
	b.out.Reset()
	b.ready = make(chan struct{})
	b.in, b.last, b.err = b.in[:0], false, nil
	for len(b.in) < gzipBlock && !b.last && b.err == nil {
		n, err := r.Read(b.in[len(b.in):gzipBlock])
		b.in = b.in[:len(b.in)+n]
		if err == io.EOF {
			b.last = true
		} else {
			b.err = err
		}
	}
}

// run compresses a piece. sum and size are of the content up to its end.
func (z *gzipper) run(b *zipBlock, sum, size uint32) {
	w := <-z.workers
	defer func() {
		z.workers <- w
		close(b.ready)
	}()
	w.ResetDict(&b.out, b.dict)
	if _, err := w.Write(b.in); err != nil {
		b.err = err
		return
	}
	end := w.Flush
	if b.last {
		end = w.Close
	}
	if err := end(); err != nil {
		b.err = err
		return
	}
	if b.last {
		var tail [8]byte
		binary.LittleEndian.PutUint32(tail[:], sum)
		binary.LittleEndian.PutUint32(tail[4:], size)
		b.out.Write(tail[:])
	}
}

// giveBack lets others have the piece once it is compressed.
func (z *gzipper) giveBack(b *zipBlock) {
	<-b.ready
	z.blocks <- b
}

func (g *gzipReader) Read(p []byte) (int, error) {
	for len(g.rest) == 0 {
		if g.err != nil {
			return 0, g.err
		}
		if g.cur != nil {
			g.z.giveBack(g.cur)
			g.cur = nil
		}
		b, ok := <-g.order
		if !ok {
			g.err = io.ErrClosedPipe
			continue
		}
		<-b.ready
		g.cur, g.rest = b, b.out.Bytes()
		switch {
		case b.err != nil:
			g.err = b.err
		case b.last:
			g.err = io.EOF
		}
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// Close ends the work. It waits for a Read of the source that is under way.
func (g *gzipReader) Close() error {
	close(g.stop)
	if g.cur != nil {
		g.z.giveBack(g.cur)
	}
	for b := range g.order {
		g.z.giveBack(b)
	}
	g.cur, g.rest, g.err = nil, nil, io.ErrClosedPipe
	return g.src.Close()
}
