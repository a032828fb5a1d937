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
		"data:/b:rshared": {"volume", "data", "", "/b", []string{"rshared", "rbind", "nosuid", "nodev"}},
	} {
		m, err := parseVolume(text)
		if err != nil || m.Type != want.kind || m.Name != want.name || m.Source != want.source || m.Destination != want.destination || !reflect.DeepEqual(m.Options, want.options) {
			t.Errorf("%s: %+v, %v", text, m, err)
		}
	}
	if m, err := parseVolume("/only"); err != nil || m.Type != "volume" || !m.Anonymous || len(m.Name) != 64 {
		t.Errorf("/only: %+v, %v", m, err)
	}
	for _, bad := range []string{"", "/a:b", ":/b", "/a:/b:bogus", "/a:/b:ro:rw", "../../x:/b:O,z", "/a:/b:ro,rw", "/a:/b:O,upperdir=/u", "/a:/b:O,U", "na/me:/b"} {
		if m, err := parseVolume(bad); err == nil {
			t.Errorf("%q was taken: %+v", bad, m)
		}
	}
}

func TestParseMount(t *testing.T) {
	some, err := parseMount("type=bind,src=/a,dst=/b,ro,relabel=private")
	if err != nil || len(some) != 1 {
		t.Fatalf("bind: %+v, %v", some, err)
	}
	if m := some[0]; m.Source != "/a" || !m.Has("ro") || !m.Has("Z") {
		t.Errorf("bind: %+v, %v", m, err)
	}
	for _, bad := range []string{"type=bind,dst=/b", "type=nosuch,dst=/b", "type=bind,src=/a", "type=tmpfs,dst=b", "type=bind,src=/a,dst=/b,color=red",
		"type=bind,src=/a,dst=/b,relabel=nosuch", "type=tmpfs,src=/a,dst=/b", "type=bind,src=/a,dst=/b,subpath=c", "type=glob,src=/no-such-file-*",
		"type=image,dst=/b", "type=bind,src=/a,dst=/b,ro=perhaps"} {
		if m, err := parseMount(bad); err == nil {
			t.Errorf("%q was taken: %+v", bad, m)
		}
	}
}
