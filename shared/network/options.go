package network

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/podsuite/podsuite/shared/errdef"
)

// The drivers and the IPAM drivers that networks have.
const (
	DriverBridge  = "bridge"
	DriverMacvlan = "macvlan"
	DriverIPvlan  = "ipvlan"

	ipamHostLocal = "host-local"
	ipamDHCP      = "dhcp"
	ipamNone      = "none"
)

// settings are a network's options, read.
type settings struct {
	mtu            int    // bytes; 0 is the kernel's choice
	metric         uint32 // of the default route; 0 is 100
	noDefaultRoute bool
	unmanaged      bool   // the bridge is the administrator's: no address, no rule
	vlan           int    // 0 is none
	vrf            string // the VRF that the bridge is in
	mode           string // of macvlan and ipvlan
	bclim          *int32 // macvlan's threshold of broadcast queueing
}

// settings reads the network's options; an unknown one is an error.
func (n *Network) settings() (settings, error) {
	var s settings
	for key, value := range n.Options {
		var err error
		switch {
		case key == "mtu":
			if s.mtu, err = strconv.Atoi(value); err == nil && s.mtu < 0 {
				err = fmt.Errorf("mtu %d is less than zero", s.mtu)
			}
		case key == "metric":
			var metric uint64
			metric, err = strconv.ParseUint(value, 10, 32)
			s.metric = uint32(metric)
		case key == "no_default_route":
			s.noDefaultRoute, err = strconv.ParseBool(value)
		case n.Driver == DriverBridge:
			err = s.setBridge(key, value)
		default:
			err = s.setVlan(n.Driver, key, value)
		}
		if err != nil {
			return s, errdef.As(errdef.ErrInvalid, err)
		}
	}
	return s, nil
}

func (s *settings) setBridge(key, value string) (err error) {
	switch key {
	case "isolate":
		if value != "strict" {
			if _, err = strconv.ParseBool(value); err != nil {
				err = fmt.Errorf("failed to parse isolate option: %w", err)
			}
		}
	case "vlan":
		if s.vlan, err = strconv.Atoi(value); err == nil && (s.vlan < 0 || s.vlan > 4094) {
			err = fmt.Errorf("vlan ID %d must be between 0 and 4094", s.vlan)
		}
	case "vrf":
		if s.vrf = value; !validLinkName(value) {
			err = fmt.Errorf("invalid VRF name %q", value)
		}
	case "mode":
		if s.unmanaged = value == "unmanaged"; !s.unmanaged && value != "" && value != "managed" {
			err = fmt.Errorf("unknown bridge mode %q", value)
		}
	default:
		err = fmt.Errorf("unsupported bridge network option %s", key)
	}
	return err
}

func (s *settings) setVlan(driver, key, value string) error {
	switch {
	case key == "mode":
		modes := []string{"bridge", "private", "vepa", "passthru"}
		if driver == DriverIPvlan {
			modes = []string{"l2", "l3", "l3s"}
		}
		if s.mode = value; !slices.Contains(modes, value) {
			return fmt.Errorf("unknown %s mode %q", driver, value)
		}
	case key == "bclim" && driver == DriverMacvlan:
		limit, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return fmt.Errorf("failed to parse %q option: %w", key, err)
		}
		n := int32(limit)
		s.bclim = &n
	default:
		return fmt.Errorf("unsupported %s network option %s", driver, key)
	}
	return nil
}
