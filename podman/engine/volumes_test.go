package engine

import (
	"reflect"
	"testing"
)

func TestParseVolume(t *testing.T) {
	for text, want := range map[string]struct {
		kind, name, source, destination string
		options                         []string
	}{
		"/a:/b":           {"bind", "", "/a", "/b", []string{"rbind", "rprivate"}},
		"./a:/b/:ro,Z":    {"bind", "", "./a", "/b", []string{"ro", "Z", "rbind", "rprivate"}},
		"data:/b:rshared": {"volume", "data", "", "/b", []string{"rshared", "rbind"}},
	} {
		m, err := parseVolume(text)
		if err != nil || m.Type != want.kind || m.Name != want.name || m.Source != want.source || m.Destination != want.destination || !reflect.DeepEqual(m.Options, want.options) {
			t.Errorf("%s: %+v, %v", text, m, err)
		}
	}
	if m, err := parseVolume("/only"); err != nil || m.Type != "volume" || !m.Anonymous || len(m.Name) != 64 {
		t.Errorf("/only: %+v, %v", m, err)
	}
	for _, bad := range []string{"", "/a:b", ":/b", "/a:/b:bogus", "/a:/b:ro:rw", "../../x:/b:O", "na/me:/b"} {
		if m, err := parseVolume(bad); err == nil {
			t.Errorf("%q was taken: %+v", bad, m)
		}
	}
}

func TestParseMount(t *testing.T) {
	m, err := parseMount("type=bind,src=/a,dst=/b,ro,relabel=private")
	if err != nil || m.Source != "/a" || !m.Has("ro") || !m.Has("Z") {
		t.Errorf("bind: %+v, %v", m, err)
	}
	for _, bad := range []string{"type=bind,dst=/b", "type=nosuch,dst=/b", "type=bind,src=/a", "type=tmpfs,dst=b", "type=bind,src=/a,dst=/b,color=red",
		"type=bind,src=/a,dst=/b,relabel=nosuch"} {
		if m, err := parseMount(bad); err == nil {
			t.Errorf("%q was taken: %+v", bad, m)
		}
	}
}
