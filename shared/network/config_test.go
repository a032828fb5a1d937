package network

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
)

func openDir(t *testing.T) (*Manager, string) {
	t.Helper()
	dir := t.TempDir()
	m, err := Open(Options{ConfigDir: dir, RunDir: filepath.Join(dir, "run"), Rootless: true})
	if err != nil {
		t.Fatal(err)
	}
	return m, dir
}

// TestNetavarkFile reads a file as netavark's users have it.
func TestNetavarkFile(t *testing.T) {
	m, dir := openDir(t)
	file := `{"name":"web","id":"ab12","driver":"bridge","network_interface":"podman3","created":"2024-01-02T03:04:05Z",
		"subnets":[{"subnet":"10.89.7.0/24","gateway":"10.89.7.1","lease_range":{"start_ip":"10.89.7.10","end_ip":"10.89.7.11"}}],
		"ipv6_enabled":false,"internal":false,"dns_enabled":true,"ipam_options":{"driver":"host-local"},"options":{"mtu":"1400"}}`
	os.WriteFile(filepath.Join(dir, "web.json"), []byte(file), 0o644)
	for _, name := range []string{"web", "ab12", "ab"} {
		n, err := m.Network(name)
		if err != nil || n.Name != "web" || n.Subnets[0].Subnet.String() != "10.89.7.0/24" || mtu(t, n) != 1400 {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
	n, _ := m.Network("web")
	r, err := leaseRange(n.Subnets[0])
	if err != nil || r.first.String() != "10.89.7.10" || r.last.String() != "10.89.7.11" {
		t.Errorf("lease range %v, %v", r, err)
	}
	var want, got map[string]any
	text, _ := json.Marshal(n)
	json.Unmarshal([]byte(file), &want)
	json.Unmarshal(text, &got)
	for key := range want {
		a, _ := json.Marshal(want[key])
		b, _ := json.Marshal(got[key])
		if string(a) != string(b) {
			t.Errorf("%s: wrote %s, read %s", key, b, a)
		}
	}
}

func mtu(t *testing.T, n Network) int {
	s, err := n.settings()
	if err != nil {
		t.Error(err)
	}
	return s.mtu
}

func TestBadNetworkFile(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":    `{`,
		"bad name":   `{"name":"../x","driver":"bridge","network_interface":"p"}`,
		"bad link":   `{"name":"x","driver":"bridge","network_interface":"a/b"}`,
		"bad subnet": `{"name":"x","driver":"bridge","network_interface":"p","subnets":[{"subnet":"10.0.0.0/99"}]}`,
		"no room":    `{"name":"x","driver":"bridge","network_interface":"p","subnets":[{"subnet":"10.0.0.0/32"}]}`,
		"too large":  `{"name":"x"` + strings.Repeat(" ", maxFile) + `}`,
	} {
		m, dir := openDir(t)
		path := filepath.Join(dir, "x.json")
		os.WriteFile(path, []byte(text), 0o644)
		for _, read := range []func() error{
			func() error { _, err := m.Networks(); return err },
			func() error { _, err := m.Network("x"); return err },
		} {
			if err := read(); !errors.Is(err, errdef.ErrInvalid) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := m.Network("podman"); err != nil {
			t.Errorf("%s: the default network: %v", name, err)
		}
	}
}

func TestCreateNetwork(t *testing.T) {
	m, _ := openDir(t)
	a, err := m.Create(Network{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Create(Network{Name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if a.NetworkInterface == b.NetworkInterface || overlap(a.Subnets[0].Subnet, b.Subnets[0].Subnet) || a.NetworkInterface == "podman0" {
		t.Errorf("%+v and %+v", a, b)
	}
	if _, err := m.Create(Network{Name: "a"}); !errors.Is(err, errdef.ErrConflict) {
		t.Errorf("a taken name: %v", err)
	}
	if _, err := m.Create(Network{Name: "c", Subnets: []Subnet{a.Subnets[0]}}); !errors.Is(err, errdef.ErrConflict) {
		t.Errorf("a taken subnet: %v", err)
	}
	all, err := m.Networks()
	if err != nil || len(all) != 3 || all[0].Name != "a" || all[2].Name != "podman" {
		t.Errorf("%+v, %v", all, err)
	}
	if err := m.Remove("a"); err != nil {
		t.Error(err)
	}
	if _, err := m.Network("a"); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("a removed network: %v", err)
	}
	if err := m.Remove("podman"); err == nil {
		t.Error("the default network can be removed")
	}
}

func TestInterval(t *testing.T) {
	for cidr, end := range map[string]string{
		"10.88.0.0/16": "10.89.0.0", "10.89.255.0/24": "10.90.0.0", "192.0.2.8/29": "192.0.2.16", "10.255.0.0/16": "11.0.0.0", "fd00:1::/64": "fd00:1:0:1::",
	} {
		n, err := ParseIPNet(cidr)
		if err != nil {
			t.Fatal(err)
		}
		e := interval(n)
		if net.IP(e[1].Key).String() != end {
			t.Errorf("%s ends before %s, want %s", cidr, net.IP(e[1].Key), end)
		}
	}
}
