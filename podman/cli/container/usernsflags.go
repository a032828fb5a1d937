package container

import (
	"github.com/podsuite/podsuite/podman/engine"
	"github.com/spf13/pflag"
)

// BindUserNS declares the options on the user namespace of a container or a
// pod.
func BindUserNS(fl *pflag.FlagSet, r *engine.UserNSRequest) {
	fl.StringVar(&r.UserNS, "userns", "", "User namespace to use")
	fl.StringSliceVar(&r.UIDMaps, "uidmap", nil, "UID map to use for the user namespace")
	fl.StringSliceVar(&r.GIDMaps, "gidmap", nil, "GID map to use for the user namespace")
	fl.StringVar(&r.SubUIDName, "subuidname", "", "Name of range listed in /etc/subuid for use in user namespace")
	fl.StringVar(&r.SubGIDName, "subgidname", "", "Name of range listed in /etc/subgid for use in user namespace")
}
