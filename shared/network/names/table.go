package names

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// Domain is the domain that all networks' names are in, as in netavark.
const Domain = "dns.podman"

// Table is what one network's name server knows.
type Table struct {
	Listen     []netip.Addr `json:"listen"`            // the gateways
	Port       uint16       `json:"port"`              // of UDP and TCP
	Servers    []netip.Addr `json:"servers,omitempty"` // for names outside; none means the host's
	Internal   bool         `json:"internal,omitempty"`
	Containers []Container  `json:"containers"`
}

// Container is one container's part of a table.
type Container struct {
	ID        string       `json:"id"`
	NS        string       `json:"ns"` // where its network namespace is bound
	Names     []string     `json:"names"`
	Addresses []netip.Addr `json:"addresses"`
	Servers   []netip.Addr `json:"servers,omitempty"` // asked in place of the network's
}

// suffix ends the names of tables' files.
const suffix = ".json"

// Path is the file of a network's table in dir.
func Path(dir, network string) string { return filepath.Join(dir, network+suffix) }

// Read reads a network's table; os.ErrNotExist when it has none.
func Read(dir, network string) (Table, error) {
	var t Table
	data, err := os.ReadFile(Path(dir, network))
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil {
		return t, fmt.Errorf("read the names of network %q: %w", network, err)
	}
	return t, nil
}

// Write replaces the table in one step; one without containers goes. The file
// lies on the run root, where nothing has to outlive the machine.
func (t *Table) Write(dir, network string) error {
	path := Path(dir, network)
	if len(t.Containers) == 0 {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("write the names of network %q: %w", network, err)
		}
		return nil
	}
	data, err := json.Marshal(t)
	if err == nil {
		err = os.WriteFile(path+".tmp", data, 0o600)
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return fmt.Errorf("write the names of network %q: %w", network, err)
	}
	return nil
}

// Networks lists the networks that have a table in dir.
func Networks(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list tables of names: %w", err)
	}
	var all []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
			all = append(all, name)
		}
	}
	return all, nil
}
