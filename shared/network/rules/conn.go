package rules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Conn is a socket to the kernel's nftables.
type Conn struct {
	fd     int
	portID uint32
}

// Dial opens a socket to the nftables of this thread's network namespace.
func Dial() (*Conn, error) {
	fd, portID, err := open(0)
	if err != nil {
		return nil, err
	}
	return &Conn{fd, portID}, nil
}

// open makes a socket that hears of the groups, and tells its number.
func open(groups uint32) (fd int, portID uint32, err error) {
	fail := func(err error) (int, uint32, error) { return -1, 0, fmt.Errorf("open nftables: %w", err) }
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return fail(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return fail(err)
	}
	sa, err := unix.Getsockname(fd)
	own, ok := sa.(*unix.SockaddrNetlink)
	if err != nil || !ok {
		unix.Close(fd)
		return fail(err)
	}
	return fd, own.Pid, nil
}

// Close closes the socket, and with it goes what it owns.
func (c *Conn) Close() error { return unix.Close(c.fd) }

// Commit has the kernel do what the messages say, all of it or nothing.
func (c *Conn) Commit(messages []byte) error {
	begin := build(unix.NFNL_MSG_BATCH_BEGIN, 0, 0, unix.NFNL_SUBSYS_NFTABLES)
	end := build(unix.NFNL_MSG_BATCH_END, 0, 0, unix.NFNL_SUBSYS_NFTABLES)
	batch := append(append(begin, messages...), end...)
	unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, len(batch)+1<<16)
	if err := unix.Sendto(c.fd, batch, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	// The kernel has done it by now. It answers to what went wrong only.
	buf := make([]byte, 1<<14)
	var first error
	for {
		n, _, err := unix.Recvfrom(c.fd, buf, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN:
			return first
		case err == unix.EINTR:
			continue
		case err != nil && first == nil:
			first = err
		}
		if e := failure(buf[:max(n, 0)]); e != nil && first == nil {
			first = e
		}
	}
}

// failure is the first error that the kernel reports in its answer.
func failure(b []byte) error {
	for m := range messages(b) {
		if m.kind == unix.NLMSG_ERROR && len(m.whole) >= headers {
			if code := int32(binary.NativeEndian.Uint32(m.whole[unix.NLMSG_HDRLEN:])); code != 0 {
				return unix.Errno(-code)
			}
		}
	}
	return nil
}

// whole tells whether the table has as many rules as that.
func (c *Conn) whole(rules int) (bool, error) {
	ask := build(getRule, unix.NLM_F_DUMP, unix.NFPROTO_INET, 0, attr(attrTable, text(Table)))
	if err := unix.Sendto(c.fd, ask, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, err
	}
	buf := make([]byte, 1<<15)
	for found := 0; ; {
		n, _, err := unix.Recvfrom(c.fd, buf, 0)
		if err == unix.EAGAIN || err == unix.EINTR {
			poll := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}
			unix.Poll(poll, 1000)
			continue
		}
		if err != nil {
			return false, err
		}
		if err := failure(buf[:n]); err != nil {
			return false, err
		}
		found += countKind(buf[:n], newRule)
		if countKind(buf[:n], unix.NLMSG_DONE) > 0 {
			return found == rules, nil
		}
	}
}

// Anchor makes a table that belongs to this socket: whoever flushes all tables
// passes it over. It has a chain of address translation with a rule that looks
// at a connection's state and does nothing. As long as those are there,
// connections through published ports go on being translated while nothing else
// tells the kernel to. Kernels before 5.12 refuse.
func (c *Conn) Anchor() error {
	const (
		tableFlags, ownedTable                = 2, 2
		chainName, chainHook, chainType       = 3, 4, 7
		hookNumber, hookPriority, late        = 1, 2, 200
		ruleChain, ruleExpressions            = 2, 4
		listElement, exprName, exprData       = 1, 1, 2
		ctRegister, ctKey, register1, ctState = 1, 2, 1, 0
		create                                = unix.NLM_F_CREATE
	)
	name, chain := attr(attrTable, text(fmt.Sprintf("%s-anchor-%d", Table, os.Getpid()))), text("anchor")
	nested := func(kind uint16, parts ...[]byte) []byte { return attr(kind|unix.NLA_F_NESTED, parts...) }
	batch := build(newTable, create, unix.NFPROTO_INET, 0, name, attr(tableFlags, number(ownedTable)))
	batch = append(batch, build(newChain, create, unix.NFPROTO_INET, 0, name, attr(chainName, chain),
		nested(chainHook, attr(hookNumber, number(unix.NF_INET_PRE_ROUTING)), attr(hookPriority, number(late))), attr(chainType, text("nat")))...)
	state := nested(listElement, attr(exprName, text("ct")), nested(exprData, attr(ctRegister, number(register1)), attr(ctKey, number(ctState))))
	batch = append(batch, build(newRule, create|unix.NLM_F_APPEND, unix.NFPROTO_INET, 0, name, attr(ruleChain, chain), nested(ruleExpressions, state))...)
	if err := c.Commit(batch); err != nil {
		return fmt.Errorf("make the anchor of address translation: %w", err)
	}
	return nil
}

// Watch waits for others to take something away of the table, and calls lost
// then; it returns when the kernel tells nothing any more.
func Watch(own *Conn, lost func()) error {
	const group = 7 // NFNLGRP_NFTABLES
	fd, _, err := open(1 << (group - 1))
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "nftables") // which the runtime waits for without a thread
	defer f.Close()
	buf := make([]byte, 1<<15)
	for {
		n, err := f.Read(buf)
		if err != nil {
			if errors.Is(err, unix.ENOBUFS) { // more than was taken note of
				lost()
				continue
			}
			return fmt.Errorf("watch nftables: %w", err)
		}
		if takesAway(buf[:n], own.portID) {
			lost()
		}
	}
}

// takesAway tells whether the kernel reports something of our table removed by
// another socket than own.
func takesAway(b []byte, own uint32) bool {
	for m := range messages(b) {
		switch m.kind {
		case delTable, delChain, delRule, delSet:
			if m.portID != own && m.family == unix.NFPROTO_INET && string(m.attribute(attrTable)) == Table+"\x00" {
				return true
			}
		}
	}
	return false
}
