package registry

import (
	"context"
	"io"
	"net"
)

// wideBuffer is how much of a body is sent at a time, in bytes. It is more
// than net/http's own buffers, so that a body that comes from another
// connection is read past those, and copied once on its way.
const wideBuffer = 256 << 10

// wideConn sends bodies in large pieces: system calls are what a copy costs.
type wideConn struct{ net.Conn }

// ReadFrom is io.ReaderFrom.
func (c wideConn) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{c.Conn}, r, make([]byte, wideBuffer))
}

func dialWide(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wideConn{conn}, nil
	}
}
