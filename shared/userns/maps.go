package userns

import (
	"cmp"
	"slices"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Maps are the ID maps of a user namespace. Empty ones are those of a process
// that stays in its own namespace.
type Maps struct {
	UIDs []IDMap `json:"uids,omitempty"`
	GIDs []IDMap `json:"gids,omitempty"`
}

// Empty tells whether no ID is mapped.
func (m Maps) Empty() bool { return len(m.UIDs) == 0 && len(m.GIDs) == 0 }

// Identity tells whether every ID that is mapped stays what it is, so that
// files need no other owners.
func (m Maps) Identity() bool {
	same := func(x IDMap) bool { return x.ContainerID == x.HostID }
	return !slices.ContainsFunc(slices.Concat(m.UIDs, m.GIDs), func(x IDMap) bool { return !same(x) })
}

// Host gives the IDs outside of the namespace. The class of an ID that has
// none is errdef.ErrInvalid.
func (m Maps) Host(uid, gid int) (hostUID, hostGID int, err error) {
	hostUID, hasUID := toHost(m.UIDs, uid)
	hostGID, hasGID := toHost(m.GIDs, gid)
	switch {
	case !hasUID:
		return 0, 0, errdef.Newf(errdef.ErrInvalid, "user %d is not mapped into the user namespace: choose a larger one", uid)
	case !hasGID:
		return 0, 0, errdef.Newf(errdef.ErrInvalid, "group %d is not mapped into the user namespace: choose a larger one", gid)
	}
	return hostUID, hostGID, nil
}

// Inside gives the IDs inside of the namespace; what isn't mapped is nobody's,
// as the kernel shows it.
func (m Maps) Inside(hostUID, hostGID int) (uid, gid int) {
	return inside(m.UIDs, hostUID), inside(m.GIDs, hostGID)
}

// Nobody is the kernel's overflow ID: whose what isn't mapped is.
const Nobody = 65534

func toHost(maps []IDMap, id int) (int, bool) {
	if len(maps) == 0 {
		return id, true
	}
	for _, m := range maps {
		if id >= m.ContainerID && id < m.ContainerID+m.Size {
			return m.HostID + id - m.ContainerID, true
		}
	}
	return 0, false
}

func inside(maps []IDMap, id int) int {
	if len(maps) == 0 {
		return id
	}
	for _, m := range maps {
		if id >= m.HostID && id < m.HostID+m.Size {
			return m.ContainerID + id - m.HostID
		}
	}
	return Nobody
}

// KeepID maps the IDs 1 to available-1 of this namespace, in which the user is
// 0, to those from 0 on of a new one, and the user to id there. The new
// namespace has no IDs from size on but id; a size of 0 is without that limit.
func KeepID(id, size, available int) []IDMap {
	others := available - 1
	if size > 0 {
		others = min(others, size-1)
	}
	below := min(id, others)
	var maps []IDMap
	for _, m := range []IDMap{{0, 1, below}, {id, 0, 1}, {id + 1, 1 + below, others - below}} {
		if m.Size > 0 {
			maps = append(maps, m)
		}
	}
	return maps
}

// Available is how many IDs the maps of this process's namespace have from 0
// on without a gap.
func Available(maps []IDMap) int {
	maps = slices.Clone(maps)
	slices.SortFunc(maps, func(a, b IDMap) int { return cmp.Compare(a.ContainerID, b.ContainerID) })
	n := 0
	for _, m := range maps {
		if m.ContainerID != n {
			break
		}
		n += m.Size
	}
	return n
}

// SubIDs reads what /etc/subuid and /etc/subgid give two names, laid out from
// 0 on.
func SubIDs(user, group string) (Maps, error) {
	var m Maps
	for _, f := range []struct {
		kind, file, name string
		to               *[]IDMap
	}{{"subuid", "/etc/subuid", user, &m.UIDs}, {"subgid", "/etc/subgid", group, &m.GIDs}} {
		found, err := subIDs(f.file, f.name, -1)
		if err != nil {
			return Maps{}, err
		}
		if len(found) == 0 {
			return Maps{}, errdef.Newf(errdef.ErrNotFound, "no %s ranges found for user %q in %s", f.kind, f.name, f.file)
		}
		for i := range found {
			found[i].ContainerID-- // without the user's own
		}
		*f.to = found
	}
	return m, nil
}
