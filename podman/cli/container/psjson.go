package container

import (
	"fmt"

	"github.com/podsuite/podsuite/podman/engine"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/network"
)

// psEntry is an element of `ps --format json`, with the reference's keys.
type psEntry struct {
	AutoRemove bool              `json:"AutoRemove"`
	Command    []string          `json:"Command"`
	CreatedAt  string            `json:"CreatedAt"`
	Exited     bool              `json:"Exited"`
	ExitedAt   int64             `json:"ExitedAt"`
	ExitCode   int               `json:"ExitCode"`
	ID         string            `json:"Id"`
	Image      string            `json:"Image"`
	ImageID    string            `json:"ImageID"`
	IsInfra    bool              `json:"IsInfra"`
	Labels     map[string]string `json:"Labels"`
	Mounts     []string          `json:"Mounts"`
	Names      []string          `json:"Names"`
	Networks   []string          `json:"Networks"`
	Pid        int               `json:"Pid"`
	Pod        string            `json:"Pod"`
	PodName    string            `json:"PodName"`
	Ports      []portEntry       `json:"Ports"`
	StartedAt  int64             `json:"StartedAt"`
	State      string            `json:"State"`
	Status     string            `json:"Status"`
	Created    int64             `json:"Created"`
}

type portEntry struct {
	HostIP        string `json:"host_ip"`
	ContainerPort uint16 `json:"container_port"`
	HostPort      uint16 `json:"host_port"`
	Range         uint16 `json:"range"`
	Protocol      string `json:"protocol"`
}

func psJSON(list []engine.Container) []psEntry {
	entries := make([]psEntry, len(list))
	for i := range list {
		c := &list[i]
		entries[i] = psEntry{AutoRemove: c.AutoRemove, Command: c.Summary.Command, CreatedAt: cliout.Ago(c.CreatedTime()),
			Exited: c.State == engine.Exited, ExitedAt: unixOf(c.ExitedAt), ExitCode: c.ExitCode, ID: c.ID, Image: c.Image, ImageID: c.ImageID,
			Labels: c.Labels, Mounts: orEmpty(c.Mounts), Names: []string{c.Name}, Networks: orEmpty(c.Networks), Pid: c.Pid,
			StartedAt: unixOf(c.StartedAt), State: c.State, Status: statusText(c), Created: c.CreatedTime().Unix()}
		for _, p := range c.Ports {
			entries[i].Ports = append(entries[i].Ports, portEntry{p.HostIP, p.ContainerPort, p.HostPort, max(p.Range, 1), p.Protocol})
		}
	}
	return entries
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// portsText is the PORTS column: "0.0.0.0:8080->80/tcp".
func portsText(ports []network.PortMapping) string {
	text := ""
	for i, p := range ports {
		if i > 0 {
			text += ", "
		}
		host := p.HostIP
		if host == "" {
			host = "0.0.0.0"
		}
		if p.Range > 1 {
			text += fmt.Sprintf("%s:%d-%d->%d-%d/%s", host, p.HostPort, p.HostPort+p.Range-1, p.ContainerPort, p.ContainerPort+p.Range-1, p.Protocol)
			continue
		}
		text += fmt.Sprintf("%s:%d->%d/%s", host, p.HostPort, p.ContainerPort, p.Protocol)
	}
	return text
}
