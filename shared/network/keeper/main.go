package main

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/network/names"
	"github.com/podsuite/podsuite/shared/network/rules"
)

// linger is how long the keeper waits for the next container after the last.
const linger = 2 * time.Second

// fdListen is the inherited socket.
const fdListen = 3

func main() { run(linger, round) }

// run is main with its times.
func run(linger, round time.Duration) {
	if len(os.Args) < 4 {
		os.Stderr.WriteString("podman-keeper: started by podman only\n")
		os.Exit(2)
	}
	// Whatever else the starting command was given is not this process's to hold;
	// this comes before anything that opens files.
	unix.CloseRange(fdListen+1, ^uint(0), 0)
	// As lists of processes call it: otherwise by the number of a descriptor.
	_ = os.WriteFile("/proc/self/comm", []byte(names.Program), 0)
	file := os.NewFile(fdListen, "control")
	listener, err := net.FileListener(file)
	if err != nil {
		os.Exit(2)
	}
	file.Close()
	if err := names.Sign(os.Args[1]); err != nil {
		os.Exit(2)
	}
	k := &keeper{server: newServer(os.Args[1]), leases: os.Args[3], linger: linger}
	go guard(rules.Set{Dir: os.Args[2]})
	k.idle = time.AfterFunc(linger, k.endIfIdle)
	k.server.reload()
	go k.patrol(round)
	for {
		conn, err := listener.Accept()
		if err != nil {
			os.Exit(1)
		}
		k.enter()
		go k.serve(conn)
	}
}

// keeper counts what the process lives for.
type keeper struct {
	server *server
	leases string // where the containers' leases are
	linger time.Duration

	mu    sync.Mutex
	users int // open connections
	idle  *time.Timer
}

func (k *keeper) enter() {
	k.mu.Lock()
	k.users++
	k.mu.Unlock()
}

func (k *keeper) leave() {
	k.mu.Lock()
	k.users--
	k.mu.Unlock()
	k.idle.Reset(k.linger)
}

// serve answers one client until it hangs up.
func (k *keeper) serve(conn net.Conn) {
	defer k.leave()
	defer conn.Close()
	buf := make([]byte, names.MaxMessage)
	for {
		n, err := conn.Read(buf)
		if err != nil || n == 0 {
			return
		}
		if buf[0] != names.Sync {
			continue
		}
		reply := []byte{names.Done}
		if err := k.server.reload()[string(buf[1:n])]; err != nil {
			reply = append([]byte{names.Fail}, err.Error()...)
		}
		conn.Write(reply[:min(len(reply), names.MaxMessage)])
	}
}

// endIfIdle ends the process when there is nothing left to do.
func (k *keeper) endIfIdle() {
	k.endUnless(func() bool { return len(k.spaces()) > 0 })
}

// endUnless ends the process unless a client is there or it is needed. A client
// that connects at this moment finds the connection cut, and starts another keeper.
func (k *keeper) endUnless(needed func() bool) {
	k.mu.Lock() // whoever connects meanwhile is not told that all is well
	defer k.mu.Unlock()
	if k.users > 0 {
		return
	}
	k.server.reload()
	if !needed() {
		os.Exit(0)
	}
}

// explain adds to an error of listening what to do about it.
func explain(err error) error {
	if errors.Is(err, unix.EADDRINUSE) {
		return errors.New(err.Error() + ": another name server listens there: stop it, or make the network with --disable-dns")
	}
	return err
}
