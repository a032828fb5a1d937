package engine

import (
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/network"
	"github.com/podsuite/podsuite/shared/userns"
)

// setNetworkMode reads --network and the options that belong to one network.
func (e *Engine) setNetworkMode(n *container.Network, req *CreateRequest) error {
	modes := req.Network
	if len(modes) == 1 && !strings.Contains(modes[0], ":") {
		modes = strings.Split(modes[0], ",") // the old way to name several
	}
	if len(modes) == 0 {
		modes = []string{"default"}
	}
	for _, mode := range modes {
		if err := e.addNetworkMode(n, mode, len(modes) > 1); err != nil {
			return err
		}
	}
	if err := applyToNetworks(n, req); err != nil {
		return err
	}
	for name, per := range n.Networks {
		if err := e.checkAliases(name, per); err != nil {
			return err
		}
	}
	return nil
}

// checkAliases says where aliases are to no avail, as nobody answers for names
// on the network.
func (e *Engine) checkAliases(name string, per network.PerNetwork) error {
	if len(per.Aliases) == 0 {
		return nil
	}
	n, err := e.Network(name)
	if err == nil && !n.DNSEnabled {
		cliout.Warn(os.Stderr, "network %q has no names: its containers are not found by their aliases", name)
	}
	return err
}

// addNetworkMode adds one --network.
func (e *Engine) addNetworkMode(n *container.Network, mode string, several bool) error {
	name, opts, hasOpts := strings.Cut(mode, ":")
	switch name {
	case "default", "private", "":
		if name = "bridge"; userns.Rootless() {
			name = first(e.Config.Network.DefaultRootlessNetworkCmd, "pasta")
		}
	}
	switch name {
	case "none", "host", "pasta", "container", "ns":
		if several {
			return errdef.Newf(errdef.ErrInvalid, "cannot set multiple networks without bridge network mode, selected mode %s: invalid argument", name)
		}
		if n.Mode = name; name == "container" || name == "ns" {
			if n.Mode = mode; opts == "" {
				return errdef.Newf(errdef.ErrInvalid, "--network %s: want %s:%s", mode, name, map[string]string{"container": "NAME", "ns": "PATH"}[name])
			}
			return nil
		}
		switch {
		case name == "pasta" && opts != "":
			n.PastaOptions = strings.Split(opts, ",")
		case hasOpts:
			return errdef.Newf(errdef.ErrInvalid, "--network %s: %s takes no options", mode, name)
		}
		return nil
	case "slirp4netns":
		return errdef.Newf(errdef.ErrUnsupported, "network mode slirp4netns is not supported: use --network pasta, which does the same, faster")
	case "bridge":
		name = e.defaultNetwork()
	}
	name, err := e.networkName(name)
	if err != nil {
		return err
	}
	per, err := perNetwork(name, opts)
	if err != nil {
		return err
	}
	if n.Networks == nil {
		n.Networks = map[string]network.PerNetwork{}
	}
	if _, twice := n.Networks[name]; twice {
		return errdef.Newf(errdef.ErrInvalid, "--network %s is given twice", name)
	}
	n.Mode, n.Networks[name] = "bridge", per
	// The links are in the order of the options.
	if several && per.InterfaceName == "" {
		per.InterfaceName = freeInterface(n.Networks)
		n.Networks[name] = per
	}
	return nil
}

// freeInterface is the first ethN that none of the networks has.
func freeInterface(networks map[string]network.PerNetwork) string {
	for i := 0; ; i++ {
		name, taken := fmt.Sprintf("eth%d", i), false
		for _, per := range networks {
			taken = taken || per.InterfaceName == name
		}
		if !taken {
			return name
		}
	}
}

// networkName is the name of the network that was named so, or by its ID.
func (e *Engine) networkName(name string) (string, error) {
	if name == e.defaultNetwork() {
		return name, nil // always there
	}
	n, err := e.Network(name)
	return n.Name, err
}

// perNetwork reads a network's options: KEY=VALUE[,KEY=VALUE...].
func perNetwork(name, opts string) (network.PerNetwork, error) {
	var per network.PerNetwork
	if opts == "" {
		return per, nil
	}
	for _, opt := range strings.Split(opts, ",") {
		key, value, _ := strings.Cut(opt, "=")
		fail := func(what string) (network.PerNetwork, error) {
			return per, errdef.Newf(errdef.ErrInvalid, "invalid option for network %s: %s", name, what)
		}
		switch key {
		case "ip", "ip6":
			ip := net.ParseIP(value)
			if ip == nil {
				return fail(fmt.Sprintf("invalid ip address %q", value))
			}
			per.StaticIPs = append(per.StaticIPs, ip)
		case "mac":
			mac, err := net.ParseMAC(value)
			if err != nil {
				return fail(err.Error())
			}
			per.StaticMAC = mac.String()
		case "alias":
			if value == "" {
				return fail("empty alias")
			}
			per.Aliases = append(per.Aliases, value)
		case "interface_name":
			per.InterfaceName = value
		default:
			if per.Options == nil {
				per.Options = map[string]string{}
			}
			per.Options[key] = value
		}
	}
	return per, network.CheckOptions(per)
}

// applyToNetworks gives the networks what --ip, --ip6, --mac-address and
// --network-alias say.
func applyToNetworks(n *container.Network, req *CreateRequest) error {
	single := func(flag string) error {
		if n.Mode != "bridge" {
			return errdef.Newf(errdef.ErrInvalid, "%s can only be set when the network mode is bridge: invalid argument", flag)
		}
		if len(n.Networks) != 1 {
			return errdef.Newf(errdef.ErrInvalid, "%s can only be set for a single network: invalid argument", flag)
		}
		return nil
	}
	change := func(f func(*network.PerNetwork)) {
		for name, per := range n.Networks {
			f(&per)
			n.Networks[name] = per
		}
	}
	for _, o := range []struct{ flag, value, format string }{{"--ip", req.IP, "%q is not an ip address"}, {"--ip6", req.IP6, "%q is not an ip address"}} {
		if o.value == "" {
			continue
		}
		ip := net.ParseIP(o.value)
		if ip == nil {
			return errdef.Newf(errdef.ErrInvalid, o.format, o.value)
		}
		if (o.flag == "--ip6") != (ip.To4() == nil) {
			return errdef.Newf(errdef.ErrInvalid, "%s %s: the address is of the other family", o.flag, o.value)
		}
		if err := single(o.flag); err != nil {
			return err
		}
		change(func(per *network.PerNetwork) { per.StaticIPs = append(per.StaticIPs, ip) })
	}
	if req.MAC != "" {
		mac, err := net.ParseMAC(req.MAC)
		if err != nil {
			return errdef.As(errdef.ErrInvalid, err)
		}
		if err := single("--mac-address"); err != nil {
			return err
		}
		change(func(per *network.PerNetwork) { per.StaticMAC = mac.String() })
	}
	if len(req.NetworkAliases) > 0 {
		if n.Mode != "bridge" {
			return errdef.Newf(errdef.ErrInvalid, "--network-alias can only be set when the network mode is bridge: invalid argument")
		}
		change(func(per *network.PerNetwork) { per.Aliases = append(per.Aliases, req.NetworkAliases...) })
	}
	return nil
}

// aliases are the names by which the container is known on the network beside
// its own.
func aliases(c *container.Config, name string) []string {
	return append(append([]string(nil), c.Network.Networks[name].Aliases...), c.ID[:12])
}
