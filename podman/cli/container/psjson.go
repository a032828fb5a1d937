package container

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/network"
)

// psEntry is an element of `ps --format json`, with the reference's keys.
type psEntry struct {
	AutoRemove   bool
	Command      []string
	CreatedAt    string
	CIDFile      string
	Exited       bool
	ExitedAt     int64
	ExitCode     int
	ExposedPorts map[string][]string
	ID           string `json:"Id"`
	Image        string
	ImageID      string
	IsInfra      bool
	Labels       map[string]string
	Mounts       []string
	Names        []string
	Namespaces   psNamespaces
	Networks     []string
	Pid          int
	Pod          string
	PodName      string
	Ports        []portEntry
	Restarts     int
	Size         *psSize
	StartedAt    int64
	State        string
	Status       string
	Created      int64
}

type psNamespaces struct {
	MNT    string `json:"Mnt,omitempty"`
	Cgroup string `json:",omitempty"`
	IPC    string `json:"Ipc,omitempty"`
	NET    string `json:"Net,omitempty"`
	PIDNS  string `json:"Pidns,omitempty"`
	UTS    string `json:"Uts,omitempty"`
	USERNS string `json:"User,omitempty"`
}

type psSize struct {
	RootFsSize int64 `json:"rootFsSize"`
	RwSize     int64 `json:"rwSize"`
}

type portEntry struct {
	HostIP        string `json:"host_ip"`
	ContainerPort uint16 `json:"container_port"`
	HostPort      uint16 `json:"host_port"`
	Range         uint16 `json:"range"`
	Protocol      string `json:"protocol"`
}

func psJSON(rows []psRow, ns bool) []psEntry {
	entries := make([]psEntry, len(rows))
	for i := range rows {
		entries[i] = rows[i].entry(ns)
	}
	return entries
}

// MarshalJSON is what {{json .}} prints of a row.
func (r psRow) MarshalJSON() ([]byte, error) { return json.Marshal(r.entry(false)) }

func (r psRow) entry(ns bool) psEntry {
	c := r.c
	e := psEntry{AutoRemove: c.AutoRemove, Command: c.Summary.Command, CreatedAt: cliout.Ago(c.CreatedTime()), CIDFile: c.CIDFile,
		Exited: c.State == engine.Exited, ExitedAt: unixOf(c.ExitedAt), ExitCode: c.ExitCode, ID: c.ID, Image: c.Image, IsInfra: c.Infra, Pod: c.Summary.Pod, PodName: c.PodName, ImageID: c.ImageID,
		Labels: c.Labels, Mounts: orEmpty(c.Mounts), Names: []string{c.Name}, Networks: orEmpty(c.Networks), Pid: c.Pid,
		Restarts: r.Restarts(), StartedAt: unixOf(c.StartedAt), State: c.State, Status: r.Status(), Created: c.CreatedTime().Unix()}
	for _, p := range c.Ports {
		e.Ports = append(e.Ports, portEntry{p.HostIP, p.ContainerPort, p.HostPort, max(p.Range, 1), p.Protocol})
	}
	exposed, _ := network.ParseExposed(c.Exposed) // they were read before
	for _, ports := range exposed {
		for _, p := range ports.Each() {
			port, protocol, _ := strings.Cut(p, "/")
			if e.ExposedPorts == nil {
				e.ExposedPorts = map[string][]string{}
			}
			e.ExposedPorts[port] = append(e.ExposedPorts[port], protocol)
		}
	}
	if r.sized {
		e.Size = &psSize{r.size.Root, r.size.Changes}
	}
	if ns {
		e.Namespaces = psNamespaces{r.MNT(), r.CGROUPNS(), r.IPC(), r.NET(), r.PIDNS(), r.UTS(), r.USERNS()}
	}
	return e
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// portsText is the PORTS column: "0.0.0.0:8080->80/tcp", and "90/tcp" of what is
// exposed only.
func portsText(ports []network.PortMapping, exposed []string) string {
	var all []string
	for i := 0; i < len(ports); i++ {
		p := ports[i]
		p.Range = max(p.Range, 1)
		for i+1 < len(ports) && p.Before(ports[i+1]) {
			i++
			p.Range += max(ports[i].Range, 1)
		}
		host := p.HostIP
		if host == "" {
			host = "0.0.0.0"
		}
		from := strconv.Itoa(int(p.HostPort))
		if p.Range > 1 {
			from = fmt.Sprintf("%d-%d", p.HostPort, p.HostPort+p.Range-1)
		}
		all = append(all, host+":"+from+"->"+p.Exposed())
	}
	if len(exposed) == 0 {
		return strings.Join(all, ", ")
	}
	read, _ := network.ParseExposed(exposed) // they were read before
	for _, p := range read {
		if len(network.Unpublished([]network.PortMapping{p}, ports)) > 0 {
			all = append(all, p.Exposed())
		}
	}
	return strings.Join(all, ", ")
}
