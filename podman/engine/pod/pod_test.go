package pod_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/podsuite/podsuite/podman/engine/pod"
	"github.com/podsuite/podsuite/shared/errdef"
)

func TestNamesAndPrefixes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pods")
	d := pod.Open(path)
	if all, err := d.List(); err != nil || len(all) != 0 {
		t.Fatalf("a directory that isn't there lists %v, %v", all, err)
	}
	now := time.Now()
	for i, p := range []*pod.Pod{{ID: "abc1", Name: "two"}, {ID: "abd2", Name: "one"}} {
		p.Created = now.Add(time.Duration(i) * time.Second)
		if err := d.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	// What a killed writer leaves is no pod.
	if err := os.WriteFile(filepath.Join(path, ".new-1"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := d.List(); err != nil || len(all) != 2 || all[0].Name != "two" {
		t.Fatalf("list: %v, %v", all, err)
	}
	if err := d.Add(&pod.Pod{ID: "fff", Name: "one"}); !errors.Is(err, errdef.ErrConflict) {
		t.Errorf("a taken name: %v", err)
	}
	if p, err := d.Get("one"); err != nil || p.ID != "abd2" {
		t.Errorf("the taken name's pod is now %v, %v", p, err)
	}
	for _, c := range []struct {
		name, id string
		class    error
	}{{"abc", "abc1", nil}, {"one", "abd2", nil}, {"ab", "", errdef.ErrConflict}, {"x", "", errdef.ErrNotFound}, {"", "", errdef.ErrNotFound},
		{"../pods/one", "", errdef.ErrNotFound}} {
		p, err := d.Find(c.name)
		if c.class != nil {
			if !errors.Is(err, c.class) {
				t.Errorf("find %q: %v", c.name, err)
			}
			continue
		}
		if err != nil || p.ID != c.id {
			t.Errorf("find %q: %v, %v", c.name, p, err)
		}
	}
	if err := d.Remove("one"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Find("abd2"); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("a removed pod: %v", err)
	}
}
