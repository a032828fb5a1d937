package network

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// asHost moves the test into a network namespace of its own, which plays the
// host. The test's goroutine keeps its thread, which ends with it.
func asHost(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("needs network namespaces: %v", err)
	}
	if err := loopbackUp(); err != nil {
		t.Fatal(err)
	}
}

// world is a manager and a directory for namespaces.
type world struct {
	testing.TB
	m   *Manager
	dir string
}

func newWorld(t testing.TB) *world {
	asHost(t)
	dir := t.TempDir()
	m, err := Open(Options{ConfigDir: filepath.Join(dir, "networks"), RunDir: filepath.Join(dir, "run"), ProgramDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, m, dir}
}

// container makes a namespace that goes away with the test.
func (w *world) container(id string) string {
	w.Helper()
	path := filepath.Join(w.dir, id)
	if err := NewNS(path); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { RemoveNS(path) })
	return path
}

func (w *world) endpoint(id string, publish ...string) Endpoint {
	w.Helper()
	ports, err := ParsePorts(publish)
	if err != nil {
		w.Fatal(err)
	}
	return Endpoint{ContainerID: id, Networks: map[string]PerNetwork{"podman": {}}, Ports: ports}
}

func (w *world) setup(path string, ep Endpoint) map[string]Status {
	w.Helper()
	status, err := w.m.Setup(w.Context(), path, ep)
	if err != nil {
		w.Fatal(err)
	}
	return status
}

func (w *world) teardown(path string, ep Endpoint, status map[string]Status) {
	w.Helper()
	if err := w.m.Teardown(w.Context(), path, ep, status); err != nil {
		w.Fatal(err)
	}
}

func ipOf(status map[string]Status, network string) string {
	for _, i := range status[network].Interfaces {
		for _, a := range i.Subnets {
			return a.IPNet.IP.String()
		}
	}
	return ""
}

// inNS runs fn on a thread in the namespace.
func inNS(t testing.TB, path string, fn func() error) {
	t.Helper()
	err := onOwnThread(func() error {
		f, err := openNS(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return fn()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// serve answers each connection in the namespace with who asks.
func serve(t testing.TB, path, network, address string) {
	t.Helper()
	inNS(t, path, func() error {
		if strings.HasPrefix(network, "udp") {
			c, err := net.ListenPacket(network, address)
			if err != nil {
				return err
			}
			t.Cleanup(func() { c.Close() })
			go func() {
				b := make([]byte, 100)
				for {
					_, from, err := c.ReadFrom(b)
					if err != nil {
						return
					}
					c.WriteTo([]byte("hello "+from.String()), from)
				}
			}()
			return nil
		}
		l, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		go greet(l)
		return nil
	})
}

// greet answers connections until the listener is closed.
func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		fmt.Fprintf(c, "hello %s", c.RemoteAddr())
		c.Close()
	}
}

// ask connects from the calling thread's namespace and returns the answer.
func ask(network, address string) (string, error) {
	c, err := (&net.Dialer{Timeout: 2 * time.Second}).Dial(network, address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	if strings.HasPrefix(network, "udp") {
		c.Write([]byte("x"))
		b := make([]byte, 100)
		n, err := c.Read(b)
		return string(b[:n]), err
	}
	data, err := io.ReadAll(c)
	return string(data), err
}

// reach fails the test unless the address answers.
func reach(t testing.TB, network, address string) string {
	t.Helper()
	text, err := ask(network, address)
	if err != nil || !strings.HasPrefix(text, "hello ") {
		t.Errorf("%s %s: got %q, %v", network, address, text, err)
	}
	return strings.TrimPrefix(text, "hello ")
}

func listenHere(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	go greet(l)
	return l
}

// dump counts the elements of a map of the table.
func dump(t testing.TB, name string) int {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	f := newFirewall()
	elements, err := c.GetSetElements(&nftables.Set{Table: f.table, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return len(elements)
}

func flushTable(t testing.TB) {
	t.Helper()
	c, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	c.DelTable(newFirewall().table)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
}
