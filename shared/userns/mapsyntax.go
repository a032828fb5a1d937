package userns

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// mapping is one value of --uidmap or --gidmap.
type mapping struct {
	IDMap
	extend   bool // put over what was given before
	fromHost bool // HostID is the initial namespace's, not this one's
}

// ParseMaps reads the values of --uidmap and --gidmap,
// [FLAGS]CONTAINER_ID:[@]FROM_ID[:SIZE]. The flags are + to put a mapping over
// those before it, and u or g for one kind of IDs alone. When one option is
// missing, the other's values count for both. @ marks an ID of the host,
// where own, the maps of this process's namespace, says what it is here. A
// first mapping with + goes over all of base, which may be empty.
func ParseMaps(uidmap, gidmap []string, own, base Maps) (Maps, error) {
	if len(uidmap) == 0 {
		uidmap = copied(gidmap, 'g')
	} else if len(gidmap) == 0 {
		gidmap = copied(uidmap, 'u')
	}
	var m Maps
	var err error
	if m.UIDs, err = parseMap("UID", uidmap, own.UIDs, base.UIDs); err != nil {
		return Maps{}, err
	}
	m.GIDs, err = parseMap("GID", gidmap, own.GIDs, base.GIDs)
	return m, err
}

// copied are the values that count for the other kind of IDs, too: all but
// those with the flag of their own kind, which are left out there.
func copied(values []string, own byte) []string {
	return slices.DeleteFunc(slices.Clone(values), func(s string) bool {
		flags, _, _ := strings.Cut(s, ":")
		return strings.IndexByte(flags, own) >= 0
	})
}

func parseMap(kind string, values []string, own, base []IDMap) ([]IDMap, error) {
	var maps []IDMap
	skip := byte('g')
	if kind == "GID" {
		skip = 'u'
	}
	for _, text := range values {
		m, flags, err := parseMapping(kind, text)
		if err != nil {
			return nil, err
		}
		if strings.IndexByte(flags, skip) >= 0 {
			continue
		}
		parts := []IDMap{m.IDMap}
		if m.fromHost {
			if parts, err = here(m.IDMap, own); err != nil {
				return nil, err
			}
		}
		if m.extend && len(maps) == 0 {
			maps = fill(parts, base)
			continue
		}
		for _, part := range parts {
			if m.extend {
				maps = without(maps, part)
			}
			maps = append(maps, part)
		}
	}
	if len(maps) == 0 {
		maps = []IDMap{{0, 0, 1}}
	}
	return tidy(maps)
}

func parseMapping(kind, text string) (m mapping, flags string, err error) {
	malformed := errdef.Newf(errdef.ErrInvalid, `initializing ID mappings: %s setting is malformed expected ["[+ug]uint32:[@]uint32[:uint32]"] : [%q]`, kind, text)
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return m, "", malformed
	}
	digits := strings.IndexFunc(parts[0], func(r rune) bool { return r >= '0' && r <= '9' })
	if digits < 0 {
		return m, "", malformed
	}
	flags, parts[0] = parts[0][:digits], parts[0][digits:]
	for _, flag := range flags {
		switch flag {
		case '+':
			m.extend = true
		case 'u', 'g':
		default:
			return m, "", errdef.Newf(errdef.ErrInvalid, "invalid mapping %q: unknown flag %q", text, flag)
		}
	}
	parts[1], m.fromHost = strings.CutPrefix(parts[1], "@")
	m.Size = 1
	for i, to := range []*int{&m.ContainerID, &m.HostID, &m.Size} {
		if i >= len(parts) {
			break
		}
		n, err := strconv.ParseUint(parts[i], 10, 32)
		if err != nil {
			return m, "", malformed
		}
		*to = int(n)
	}
	if m.Size == 0 || m.ContainerID+m.Size > math.MaxUint32 || m.HostID+m.Size > math.MaxUint32 {
		return m, "", malformed
	}
	return m, flags, nil
}

// here turns IDs of the initial namespace into this one's.
func here(m IDMap, own []IDMap) ([]IDMap, error) {
	var parts []IDMap
	found := 0
	for _, o := range own {
		from, to := max(m.HostID, o.HostID), min(m.HostID+m.Size, o.HostID+o.Size)
		if from < to {
			parts = append(parts, IDMap{m.ContainerID + from - m.HostID, o.ContainerID + from - o.HostID, to - from})
			found += to - from
		}
	}
	if found != m.Size {
		return nil, errdef.Newf(errdef.ErrInvalid, "could not use ID map: host IDs %d to %d are not all mapped into the user namespace of this user: give them to the user in /etc/subuid and /etc/subgid", m.HostID, m.HostID+m.Size-1)
	}
	return parts, nil
}

// without leaves out of the maps what stands against m on either side.
func without(maps []IDMap, m IDMap) []IDMap {
	var kept []IDMap
	for _, x := range maps {
		// The offsets in x that clash, on either side.
		kept = append(kept, cut(x, m)...)
	}
	return kept
}

func cut(x, m IDMap) []IDMap {
	pieces := []IDMap{x}
	for _, at := range []func(IDMap) int{func(i IDMap) int { return i.ContainerID }, func(i IDMap) int { return i.HostID }} {
		var next []IDMap
		for _, p := range pieces {
			from, to := max(at(p), at(m)), min(at(p)+p.Size, at(m)+m.Size)
			if from >= to {
				next = append(next, p)
				continue
			}
			if n := from - at(p); n > 0 {
				next = append(next, IDMap{p.ContainerID, p.HostID, n})
			}
			if n := to - at(p); n < p.Size {
				next = append(next, IDMap{p.ContainerID + n, p.HostID + n, p.Size - n})
			}
		}
		pieces = next
	}
	return pieces
}

// fill adds to the maps what base has left: its IDs outside, in their order,
// take the free ones inside from 0 on.
func fill(maps, base []IDMap) []IDMap {
	out := slices.Clone(maps)
	left := base
	for _, m := range maps {
		var next []IDMap
		for _, b := range left {
			next = append(next, cut(IDMap{math.MaxInt32, b.HostID, b.Size}, IDMap{-1, m.HostID, m.Size})...)
		}
		left = next
	}
	taken := slices.Clone(maps)
	slices.SortFunc(taken, func(a, b IDMap) int { return cmp.Compare(a.ContainerID, b.ContainerID) })
	next := 0
	for _, b := range left {
		for b.Size > 0 {
			room := b.Size
			for len(taken) > 0 && taken[0].ContainerID <= next {
				next = max(next, taken[0].ContainerID+taken[0].Size)
				taken = taken[1:]
			}
			if len(taken) > 0 {
				room = min(room, taken[0].ContainerID-next)
			}
			out = append(out, IDMap{next, b.HostID, room})
			next, b.HostID, b.Size = next+room, b.HostID+room, b.Size-room
		}
	}
	return out
}

// maxRanges is how many ranges the kernel takes.
const maxRanges = 340

// tidy sorts maps, joins neighbours, and refuses IDs that are mapped twice.
func tidy(maps []IDMap) ([]IDMap, error) {
	for i, a := range maps {
		for _, b := range maps[:i] {
			if a.ContainerID < b.ContainerID+b.Size && b.ContainerID < a.ContainerID+a.Size || a.HostID < b.HostID+b.Size && b.HostID < a.HostID+a.Size {
				return nil, errdef.Newf(errdef.ErrInvalid, "the specified UID and/or GID mapping %d:%d:%d conflicts with other mappings: invalid mappings specified", a.ContainerID, a.HostID, a.Size)
			}
		}
	}
	slices.SortFunc(maps, func(a, b IDMap) int { return cmp.Compare(a.ContainerID, b.ContainerID) })
	var out []IDMap
	for _, m := range maps {
		if n := len(out); n > 0 && out[n-1].ContainerID+out[n-1].Size == m.ContainerID && out[n-1].HostID+out[n-1].Size == m.HostID {
			out[n-1].Size += m.Size
			continue
		}
		out = append(out, m)
	}
	if len(out) > maxRanges {
		return nil, errdef.Newf(errdef.ErrInvalid, "the ID mappings have %d ranges: the kernel takes %d", len(out), maxRanges)
	}
	return out, nil
}
