package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fuzzFile loads whatever text as the file and asks for what it leads to: an
// error is fine, a panic or an empty directory isn't.
func fuzzFile(f *testing.F, name string, check func(t *testing.T, c *Config)) {
	root := f.TempDir()
	path := filepath.Join(root, "etc/containers", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Load(Options{Prefix: root, User: &User{UID: 0, Home: root}, Getenv: func(string) string { return "" }})
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		check(t, c)
	})
}

func FuzzContainersConf(f *testing.F) {
	f.Add([]byte("[containers]\nenv=['A=b', {append=true}]\nshm_size='1k'\npids_limit=7\n[engine.runtimes]\nx=['/x']\n"))
	f.Add([]byte("[[network.default_subnet_pools]]\nbase='10.0.0.0/8'\nsize=24\n[engine]\nretry_delay='1s'\n"))
	fuzzFile(f, "containers.conf", func(t *testing.T, c *Config) {
		if !filepath.IsAbs(c.Engine.VolumePath) || c.Engine.RetryPause() < 0 {
			t.Errorf("volume path %q, pause %v", c.Engine.VolumePath, c.Engine.RetryPause())
		}
	})
}

func FuzzStorageConf(f *testing.F) {
	f.Add([]byte("[storage]\ndriver='overlay'\ngraphroot='/g'\n[storage.options]\nadditionalimagestores=['/a']\n[storage.options.overlay]\nmountopt='nodev'\n"))
	fuzzFile(f, "storage.conf", func(t *testing.T, c *Config) {
		if !filepath.IsAbs(c.Storage.GraphRoot) || !filepath.IsAbs(c.Storage.RunRoot) {
			t.Errorf("directories %q and %q", c.Storage.GraphRoot, c.Storage.RunRoot)
		}
	})
}

func FuzzRegistriesConf(f *testing.F) {
	f.Add([]byte("unqualified-search-registries=['a.test']\n[[registry]]\nprefix='*.b.test'\n[[registry.mirror]]\nlocation='m.test'\n[aliases]\nx='a.test/x'\n"))
	fuzzFile(f, "registries.conf", func(t *testing.T, c *Config) {
		r, err := c.Registries()
		if err != nil {
			return
		}
		for _, name := range []string{"a.test/x:1", "q.b.test:80/x@sha256:1"} {
			if places, err := r.Endpoints(name); err == nil && (len(places) == 0 || places[len(places)-1].Name == "") {
				t.Errorf("%s: nowhere to go: %v", name, places)
			}
		}
	})
}
