package userns_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/userns"
)

func text(maps []userns.IDMap) string {
	var all []string
	for _, m := range maps {
		all = append(all, fmt.Sprintf("%d:%d:%d", m.ContainerID, m.HostID, m.Size))
	}
	return strings.Join(all, " ")
}

func TestParseMaps(t *testing.T) {
	// An ordinary user's namespace: the user, and two ranges.
	own := userns.Maps{UIDs: []userns.IDMap{{0, 1000, 1}, {1, 100000, 100}, {101, 300000, 50}}, GIDs: []userns.IDMap{{0, 1000, 1}, {1, 2000, 1}, {2, 100000, 149}}}
	base := userns.Maps{UIDs: []userns.IDMap{{0, 0, 151}}, GIDs: []userns.IDMap{{0, 0, 151}}}
	for _, c := range []struct{ uids, gids, wantUIDs, wantGIDs string }{
		{"0:0:10", "", "0:0:10", "0:0:10"},
		{"", "0:5", "0:5:1", "0:5:1"},
		{"0:0:10 10:10:5", "", "0:0:15", "0:0:15"},
		{"5:20:2 0:0:5", "", "0:0:5 5:20:2", "0:0:5 5:20:2"},
		{"0:0:5 u7:30:1", "", "0:0:5 7:30:1", "0:0:5"},
		{"", "0:0:5 g7:30:1", "0:0:5", "0:0:5 7:30:1"},
		{"0:0:10 +100:4:2", "", "0:0:4 6:6:4 100:4:2", "0:0:4 6:6:4 100:4:2"},
		{"0:0:10 +4:50:2", "", "0:0:4 4:50:2 6:6:4", "0:0:4 4:50:2 6:6:4"},
		{"0:@1000 1:@100099:1", "0:0", "0:0:1 1:100:1", "0:0:1"},
		{"0:@100098:2", "0:0", "0:99:2", "0:0:1"},
		// The rest is filled in from 0 on around what was asked for.
		{"0:0:1", "+g100:@2000:1", "0:0:1", "0:0:1 1:2:99 100:1:1 101:101:50"},
		{"+3:0:1", "0:0", "0:1:3 3:0:1 4:4:147", "0:0:1"},
	} {
		m, err := userns.ParseMaps(strings.Fields(c.uids), strings.Fields(c.gids), own, base)
		if err != nil || text(m.UIDs) != c.wantUIDs || text(m.GIDs) != c.wantGIDs {
			t.Errorf("%q %q: got %q and %q (%v), want %q and %q", c.uids, c.gids, text(m.UIDs), text(m.GIDs), err, c.wantUIDs, c.wantGIDs)
		}
	}
	for _, bad := range []string{"", ":", "0", "0:", "x:0:1", "0:0:0", "0:0:1:1", "-1:0:1", "*0:0:1", "0:@5", "0:@100099:2 x", "0:4294967295:1", "0:0:4294967296", "0:0:5 4:9:1", "0:0:5 9:4:1"} {
		values := strings.Fields(bad)
		if bad == "" {
			values = []string{""}
		}
		if m, err := userns.ParseMaps(values, nil, own, base); err == nil {
			t.Errorf("%q gives %v", bad, m)
		}
	}
}

func FuzzParseMaps(f *testing.F) {
	f.Add("0:0:10", "+g5:@7:3")
	f.Add("+u1:2:3", "1:1")
	own := userns.Maps{UIDs: []userns.IDMap{{0, 0, 1000}}, GIDs: []userns.IDMap{{0, 0, 1000}}}
	f.Fuzz(func(t *testing.T, a, b string) {
		m, err := userns.ParseMaps([]string{a, b}, nil, own, own)
		if err != nil {
			return
		}
		for _, maps := range [][]userns.IDMap{m.UIDs, m.GIDs} {
			for i, x := range maps {
				for _, y := range maps[:i] {
					if x.ContainerID < y.ContainerID+y.Size && y.ContainerID < x.ContainerID+x.Size || x.HostID < y.HostID+y.Size && y.HostID < x.HostID+x.Size {
						t.Errorf("%q %q: %v maps an ID twice", a, b, maps)
					}
				}
			}
		}
	})
}

func TestKeepID(t *testing.T) {
	for _, c := range []struct {
		id, size, available int
		want                string
	}{
		{1000, 0, 65537, "0:1:1000 1000:0:1 1001:1001:64536"},
		{0, 0, 10, "0:0:1 1:1:9"},
		{5, 0, 3, "0:1:2 5:0:1"},
		{2, 5, 65537, "0:1:2 2:0:1 3:3:2"},
		{1000, 0, 1, "1000:0:1"},
	} {
		if got := text(userns.KeepID(c.id, c.size, c.available)); got != c.want {
			t.Errorf("%d of %d, size %d: got %q, want %q", c.id, c.available, c.size, got, c.want)
		}
	}
}

func TestMapsTranslate(t *testing.T) {
	m := userns.Maps{UIDs: []userns.IDMap{{0, 1000, 10}, {20, 5000, 1}}, GIDs: []userns.IDMap{{0, 7, 3}}}
	if uid, gid, err := m.Host(20, 2); uid != 5000 || gid != 9 || err != nil {
		t.Errorf("got %d %d %v", uid, gid, err)
	}
	if _, _, err := m.Host(10, 0); err == nil {
		t.Error("user 10 has an ID outside")
	}
	if _, _, err := m.Host(0, 3); err == nil {
		t.Error("group 3 has an ID outside")
	}
	if uid, gid := m.Inside(1009, 0); uid != 9 || gid != userns.Nobody {
		t.Errorf("got %d %d", uid, gid)
	}
	if uid, gid := (userns.Maps{}).Inside(12, 13); uid != 12 || gid != 13 {
		t.Errorf("without maps: got %d %d", uid, gid)
	}
	if m.Identity() || !(userns.Maps{UIDs: []userns.IDMap{{5, 5, 2}}}).Identity() {
		t.Error("identity")
	}
}
