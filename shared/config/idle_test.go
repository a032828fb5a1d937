package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestIdleKeysSayWhyAndWhere(t *testing.T) {
	c := load(t, tree(t, 0, nil, map[string]string{
		"etc/containers/containers.conf": "[engine]\nlock_type='file'\nretry=2\n[machine]\ncpus=2\n[engine.service_destinations.a]\nuri='ssh://x'\n",
	}))
	idle := strings.Join(c.IdleKeys(), "\n")
	for _, want := range []string{`"engine.lock_type" in configuration "`, `"machine.cpus"`, `"engine.service_destinations"`, "locks are files"} {
		if !strings.Contains(idle, want) {
			t.Errorf("%s is not in %s", want, idle)
		}
	}
	if strings.Contains(idle, "retry") || strings.Count(idle, "\n") != 2 {
		t.Errorf("too much is idle: %s", idle)
	}
}

// Every key has an effect, or is listed as one that has none.
func TestEveryKeyIsReadOrIdle(t *testing.T) {
	used := selectors(t, "../..")
	idle := idleKeys()
	file := reflect.TypeFor[containersFile]()
	for i := range file.NumField() {
		table := file.Field(i).Tag.Get("toml")
		if idle[table+"."] != "" {
			continue
		}
		for j := range file.Field(i).Type.NumField() {
			field := file.Field(i).Type.Field(j)
			key := table + "." + field.Tag.Get("toml")
			if !used[field.Name] && idle[key] == "" {
				t.Errorf("nothing reads %s (%s)", key, field.Name)
			}
		}
	}
}

// selectors are the names after a dot in the programs' code.
func selectors(t *testing.T, root string) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	selector := regexp.MustCompile(`\.([A-Z]\w+)`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		own := strings.HasPrefix(path, "../../shared/config/") && !strings.HasSuffix(path, "/images.go")
		if err != nil || d.IsDir() || own || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range selector.FindAllSubmatch(text, -1) {
			used[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}
