package build

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/podsuite/podsuite/shared/errdef"
)

// SSH is an agent that steps may use: one that runs, or one of ours with keys.
type SSH struct {
	Socket string
	Keys   []string // files
}

// maxKey is the size of the largest key file, in bytes.
const maxKey = 1 << 20

// check reads what the agent is made of, so that what is missing is told before
// anything is built.
func (s *SSH) check() error {
	if s.Socket != "" {
		conn, err := net.Dial("unix", s.Socket)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	_, err := s.keyring()
	return err
}

func (s *SSH) keyring() (agent.Agent, error) {
	ring := agent.NewKeyring()
	for _, file := range s.Keys {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(f, maxKey))
		f.Close()
		if err != nil {
			return nil, err
		}
		key, err := ssh.ParseRawPrivateKey(data)
		var locked *ssh.PassphraseMissingError
		if errors.As(err, &locked) {
			return nil, errdef.Newf(errdef.ErrInvalid, "key %q has a passphrase: add it to an agent and give that", file)
		}
		if err != nil {
			return nil, errdef.As(errdef.ErrInvalid, fmt.Errorf("read key %q: %w", file, err))
		}
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			return nil, err
		}
	}
	return ring, nil
}

// serve listens on a socket until stop is called. A step that asks for more
// than to list keys and to sign is refused where the keys are ours.
func (s *SSH) serve(socket string) (stop func(), err error) {
	var ring agent.Agent
	if s.Socket == "" {
		if ring, err = s.keyring(); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			go func() {
				s.answer(conn, ring)
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
			}()
		}
	}()
	return func() {
		listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for conn := range open {
			conn.Close()
		}
	}, nil
}

func (s *SSH) answer(conn net.Conn, ring agent.Agent) {
	defer conn.Close()
	if ring != nil {
		_ = agent.ServeAgent(readOnly{ring}, conn)
		return
	}
	to, err := net.Dial("unix", s.Socket)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		_, _ = io.Copy(to, conn)
		to.Close()
	}()
	_, _ = io.Copy(conn, to)
}

// readOnly is an agent whose keys can be used and not changed.
type readOnly struct{ agent.Agent }

var errReadOnly = errors.New("the keys of a build can't be changed")

func (readOnly) Add(agent.AddedKey) error   { return errReadOnly }
func (readOnly) Remove(ssh.PublicKey) error { return errReadOnly }
func (readOnly) RemoveAll() error           { return errReadOnly }
func (readOnly) Lock([]byte) error          { return errReadOnly }
func (readOnly) Unlock([]byte) error        { return errReadOnly }
