package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
)

func TestParsePorts(t *testing.T) {
	for spec, want := range map[string]PortMapping{
		"80":                        {ContainerPort: 80, Range: 1, Protocol: "tcp"},
		":80":                       {ContainerPort: 80, Range: 1, Protocol: "tcp"},
		"8080:80":                   {ContainerPort: 80, HostPort: 8080, Range: 1, Protocol: "tcp"},
		"80/TCP":                    {ContainerPort: 80, Range: 1, Protocol: "tcp"},
		"80:80/sctp":                {ContainerPort: 80, HostPort: 80, Range: 1, Protocol: "sctp"},
		"1.2.3.4::80":               {HostIP: "1.2.3.4", ContainerPort: 80, Range: 1, Protocol: "tcp"},
		"[::1]:80:81":               {HostIP: "::1", ContainerPort: 81, HostPort: 80, Range: 1, Protocol: "tcp"},
		"8000-8001:80-81/udp":       {ContainerPort: 80, HostPort: 8000, Range: 2, Protocol: "udp"},
		"127.0.0.1:1-65535:1-65535": {HostIP: "127.0.0.1", ContainerPort: 1, HostPort: 1, Range: 65535, Protocol: "tcp"},
	} {
		got, err := ParsePorts([]string{spec})
		if err != nil || got[0] != want {
			t.Errorf("%q: got %+v, %v", spec, got, err)
		}
	}
}

func TestParsePortsRefused(t *testing.T) {
	for spec, want := range map[string]string{
		"notaport":        `parsing container port: invalid port number: strconv.Atoi: parsing "notaport": invalid syntax`,
		"99999:80":        `parsing host port: port numbers must be between 1 and 65535 (inclusive), got 99999`,
		"80:99999":        `parsing container port: port numbers must be between 1 and 65535 (inclusive), got 99999`,
		"80-90:80-81":     `host and container port ranges have different lengths: 11 vs 2`,
		"8000-8010:80":    `host and container port ranges have different lengths: 11 vs 1`,
		"8080:":           `must provide a non-empty container port to publish`,
		"":                `must provide a non-empty container port to publish`,
		"a:b:c:d":         `invalid port format - format is [[hostIP:]hostPort:]containerPort`,
		"::1:80:80":       `invalid port format - format is [[hostIP:]hostPort:]containerPort`,
		"1.2.3.4:80":      `parsing host port: invalid port number: strconv.Atoi: parsing "1.2.3.4": invalid syntax`,
		"300.1.1.1:80:80": `cannot parse "300.1.1.1" as an IP address`,
		"80/foo":          `unrecognized protocol "foo" in port mapping`,
		"80/tcp,udp":      `unrecognized protocol "tcp,udp" in port mapping`,
		":80/":            `must provide a non-empty protocol to publish`,
		"80-79":           `parsing container port: the end port of a range must be higher than the start port - 79 is not higher than 80`,
		"-80":             `parsing container port: port numbers cannot be negative`,
		"80-":             `parsing container port: must provide ending number for port range`,
		"[::1]:80":        `invalid port format - must provide host and destination port if specifying an IP`,
		"80:80/tcp/udp":   `invalid port format - protocol can only be specified once`,
		"1-2-3:80":        `parsing host port: invalid port format - port ranges are formatted as startPort-stopPort`,
		"0:80":            `parsing host port: port numbers must be between 1 and 65535 (inclusive), got 0`,
	} {
		_, err := ParsePorts([]string{spec})
		if !errors.Is(err, errdef.ErrInvalid) || err.Error() != want {
			t.Errorf("%q: got %v, want %s", spec, err, want)
		}
	}
}

func FuzzParsePorts(f *testing.F) {
	f.Add("127.0.0.1:8080-8081:80-81/udp")
	f.Fuzz(func(t *testing.T, spec string) {
		ports, err := ParsePorts([]string{spec})
		if err != nil {
			return
		}
		p := ports[0]
		if p.ContainerPort == 0 || int(p.ContainerPort)+p.count()-1 > 65535 || p.HostIP != "" && net.ParseIP(p.HostIP) == nil {
			t.Errorf("%q gives %+v", spec, p)
		}
	})
}

func TestHoldPorts(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	_, err = bindPorts([]PortMapping{{HostPort: port, ContainerPort: 80, Protocol: "tcp"}})
	want := "cannot listen on the TCP port: listen tcp4 :" + fmt.Sprint(port) + ": bind: address already in use"
	if !errors.Is(err, errdef.ErrConflict) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	chosen, err := ChooseHostPorts([]PortMapping{{ContainerPort: 80, Range: 3, Protocol: "udp"}, {HostIP: "127.0.0.1", ContainerPort: 80, Protocol: "tcp"}})
	if err != nil {
		t.Fatal(err)
	}
	held, err := bindPorts(chosen)
	if err != nil {
		t.Fatal(err)
	}
	if len(held) != 4 {
		t.Errorf("%d sockets, want 4", len(held))
	}
	if again, err := bindPorts(chosen); err == nil {
		closeAll(again)
		t.Error("held ports can be taken")
	}
	closeAll(held)
	again, err := bindPorts(chosen)
	if err != nil {
		t.Errorf("ports given back are taken: %v", err)
	}
	closeAll(again)
}

func TestLeases(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	w := newWorld(t)
	live := w.container("live")
	l := leases{t.TempDir()}
	s, err := subnetOf("192.0.2.0/29") // .1 is the gateway, .2 to .6 are free
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		ip, err := l.take(s, nil, id+":"+live)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ip.String())
	}
	if want := "[192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if ip, err := l.take(s, nil, "f:"+live); err == nil {
		t.Errorf("a full subnet gave %s", ip)
	}
	if _, err := l.take(s, net.ParseIP("192.0.2.3"), "f:"+live); !errors.Is(err, errdef.ErrConflict) {
		t.Errorf("a taken address: %v", err)
	}
	l.release(net.ParseIP("192.0.2.4"), "not c")
	if ip, err := l.take(s, nil, "f:"+live); err == nil {
		t.Errorf("somebody else's release freed %s", ip)
	}
	l.release(net.ParseIP("192.0.2.4"), "c")
	l.release(net.ParseIP("192.0.2.4"), "c")
	if ip, err := l.take(s, nil, "f:/gone"); err != nil || ip.String() != "192.0.2.4" {
		t.Errorf("the freed address: %s, %v", ip, err)
	}
	if ip, err := l.take(s, nil, "g:"+live); err != nil || ip.String() != "192.0.2.4" {
		t.Errorf("the address of a container that is gone: %s, %v", ip, err)
	}
}
