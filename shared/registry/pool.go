package registry

import (
	"sync"

	"github.com/podsuite/podsuite/shared/ref"
)

// Pool keeps clients, with their connections and tokens, for a command that
// goes to the same repositories again and again. All of them have the same
// Options. The zero value is ready; Close ends it.
type Pool struct {
	mu      sync.Mutex
	clients map[poolKey]*Client
}

type poolKey struct {
	repository ref.Name
	insecure   bool
}

// client gives the kept client, or keeps the one that is made.
func (p *Pool) client(repository ref.Name, insecure bool, create func() (*Client, error)) (*Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := poolKey{repository, insecure}
	if c := p.clients[key]; c != nil {
		return c, nil
	}
	c, err := create()
	if err != nil {
		return nil, err
	}
	if p.clients == nil {
		p.clients = map[poolKey]*Client{}
	}
	p.clients[key] = c
	return c, nil
}

// Close drops the connections of all clients.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.clients {
		c.http.CloseIdleConnections()
	}
	p.clients = nil
}
