package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
)

// tree writes files below a new directory and gives options that read there.
func tree(t *testing.T, uid int, env map[string]string, files map[string]string) Options {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Options{
		Prefix: root,
		User:   &User{UID: uid, Home: filepath.Join(root, "home/u")},
		Getenv: func(name string) string { return strings.ReplaceAll(env[name], "ROOT", root) },
	}
}

func load(t *testing.T, o Options) *Config {
	t.Helper()
	c, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContainersOrderAndAppend(t *testing.T) {
	c := load(t, tree(t, 0, nil, map[string]string{
		"usr/share/containers/containers.conf":         "[containers]\nenv=['1=true']\npids_limit=10\nshm_size='32m'\n",
		"etc/containers/containers.conf":               "[containers]\nenv=['2=true']\npids_limit=20\n",
		"etc/containers/containers.conf.d/10-a.conf":   "[containers]\nenv=['3=true', {append=true}]\n",
		"etc/containers/containers.conf.d/20-b.conf":   "[containers]\nenv=['4=true']\n[engine.runtimes]\nfoo=['/bin/foo']\n",
		"etc/containers/containers.conf.d/ignored.txt": "[containers]\npids_limit=99\n",
		"home/u/.config/containers/containers.conf":    "[containers]\npids_limit=30\n",
	}))
	if want := []string{"2=true", "3=true", "4=true"}; !reflect.DeepEqual(c.Containers.Env, want) {
		t.Errorf("env = %q, want %q", c.Containers.Env, want)
	}
	if c.Containers.PidsLimit != 30 || c.Containers.ShmSize != 32e6 || c.Containers.Umask != "0022" {
		t.Errorf("got pids_limit %d, shm_size %d, umask %q", c.Containers.PidsLimit, c.Containers.ShmSize, c.Containers.Umask)
	}
	// A hook of the administrator's takes the place of its namesake of a package's.
	if want := []string{"/usr/share/containers/oci/hooks.d", "/etc/containers/oci/hooks.d"}; !reflect.DeepEqual(c.Engine.HooksDir, want) {
		t.Errorf("hooks_dir = %q, want %q", c.Engine.HooksDir, want)
	}
	if got := c.Engine.Runtimes["foo"]; len(got) != 1 || got[0] != "/bin/foo" {
		t.Errorf("runtimes = %v", c.Engine.Runtimes)
	}
}

func TestContainersEnvironment(t *testing.T) {
	files := map[string]string{
		"etc/containers/containers.conf": "[containers]\npids_limit=20\n",
		"only.conf":                      "[containers]\ninit=true\n",
		"over.conf":                      "[containers]\ninit=false\nread_only=true\n",
	}
	c := load(t, tree(t, 0, map[string]string{"CONTAINERS_CONF": "ROOT/only.conf"}, files))
	if !c.Containers.Init || c.Containers.PidsLimit != 2048 {
		t.Errorf("CONTAINERS_CONF: init %v, pids_limit %d", c.Containers.Init, c.Containers.PidsLimit)
	}
	c = load(t, tree(t, 0, map[string]string{"CONTAINERS_CONF": "ROOT/only.conf", "CONTAINERS_CONF_OVERRIDE": "ROOT/over.conf"}, files))
	if c.Containers.Init || !c.Containers.ReadOnly {
		t.Errorf("CONTAINERS_CONF_OVERRIDE: init %v, read_only %v", c.Containers.Init, c.Containers.ReadOnly)
	}
}

func TestBadValuesNameFileAndKey(t *testing.T) {
	for text, want := range map[string]string{
		"[containers]\npids_limit='many'\n":            "containers.pids_limit",
		"[containers]\nenv='x'\n":                      "containers.env",
		"[containers]\nenv=['=x']\n":                   "containers.env",
		"[containers]\nannotations=['x']\n":            "containers.annotations",
		"[containers]\numask='9'\n":                    "containers.umask",
		"[containers]\ntz='../etc/passwd'\n":           "containers.tz",
		"[containers]\nshm_size='x'\n":                 "containers.shm_size",
		"[containers]\nlog_driver='bogus'\n":           "containers.log_driver",
		"[network]\ndns_bind_port=70000\n":             "network.dns_bind_port",
		"[engine]\nretry=-1\n":                         "engine.retry",
		"[engine]\nretry_delay='soon'\n":               "engine.retry_delay",
		"[engine]\npull_policy='bogus'\n":              "engine.pull_policy",
		"[engine]\nvolume_path='relative'\n":           "engine.volume_path",
		"[engine]\nruntimes={crun='/usr/bin/crun'}\n":  "engine.runtimes.crun",
		"[engine.service_destinations.a]\nuri=1\n":     "engine.service_destinations.a.uri",
		"[farms]\nlist={a='b'}\n":                      "farms.list.a",
		"[machine]\ncpus='four'\n":                     "machine.cpus",
		"[containers\n":                                "line 2",
		"[[network.default_subnet_pools]]\nsize='x'\n": "network.default_subnet_pools.size",
	} {
		_, err := Load(tree(t, 0, nil, map[string]string{"etc/containers/containers.conf": text}))
		if !errors.Is(err, errdef.ErrInvalid) || !strings.Contains(err.Error(), "containers.conf") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

func TestUnknownKeysAreListed(t *testing.T) {
	c := load(t, tree(t, 0, nil, map[string]string{
		"etc/containers/containers.conf": "[containers]\npid_limits=1\n[later]\nx=1\n[engine.runtimes]\nown=['/bin/own']\n",
		"etc/containers/storage.conf":    "[storage.options]\nbogus=1\n",
	}))
	all := strings.Join(c.UnknownKeys, "\n")
	for _, key := range []string{`"containers.pid_limits"`, `"later"`, `"storage.options.bogus"`} {
		if !strings.Contains(all, key) {
			t.Errorf("%s is not among %s", key, all)
		}
	}
	if len(c.UnknownKeys) != 3 {
		t.Errorf("unknown: %s", all)
	}
}

func TestModules(t *testing.T) {
	o := tree(t, 1000, nil, map[string]string{
		"usr/share/containers/containers.conf.modules/a":         "[containers]\npids_limit=1\ninit=true\n",
		"home/u/.config/containers/containers.conf.modules/a":    "[containers]\npids_limit=2\n",
		"etc/containers/containers.conf.modules/sub/b.conf":      "[containers]\nread_only=true\n",
		"home/u/.config/containers/containers.conf.d/own.conf":   "[containers]\npids_limit=3\n",
		"etc/containers/containers.rootless.conf":                "[containers]\ntz='local'\n",
		"etc/containers/containers.rootless.d/1000/only-me.conf": "[containers]\nno_hosts=true\n",
		"over.conf": "[containers]\npids_limit=9\n",
	})
	o.Modules = []string{"a", "sub/b.conf"}
	c := load(t, o).Containers
	if c.PidsLimit != 2 || c.Init || !c.ReadOnly || c.TZ != "local" || !c.NoHosts {
		t.Errorf("got %+v", c)
	}
	o.Getenv = func(name string) string {
		if name == "CONTAINERS_CONF_OVERRIDE" {
			return filepath.Join(o.Prefix, "over.conf")
		}
		return ""
	}
	if c = load(t, o).Containers; c.PidsLimit != 9 {
		t.Errorf("the override came before the module: pids_limit %d", c.PidsLimit)
	}
	o.Modules = []string{"none"}
	if _, err := Load(o); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("missing module: %v", err)
	}
	o.User.UID, o.Modules = 0, []string{"a"}
	if c = load(t, o).Containers; !c.Init || c.TZ != "" || c.NoHosts {
		t.Errorf("root got an ordinary user's files: %+v", c)
	}
}

func TestStorage(t *testing.T) {
	files := map[string]string{"etc/containers/storage.conf": "[storage]\ndriver='overlay'\ngraphroot='/g'\nrunroot='/r'\n" +
		"rootless_storage_path='/s/$UID'\n[storage.options]\nadditionalimagestores=['/i']\nadditionallayerstores=['/l']\ndisable-volatile=true\n[storage.options.overlay]\nmountopt='nodev'\n"}
	s := load(t, tree(t, 0, nil, files)).Storage
	want := Storage{Driver: "overlay", GraphRoot: "/g", RunRoot: "/r", AlwaysSynced: true, Pull: PullOptions{InParts: true},
		DriverOptions: []string{"overlay.mountopt=nodev", "overlay.imagestore=/i", "overlay.additionallayerstore=/l"}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("root: %+v", s)
	}
	s = load(t, tree(t, 1000, map[string]string{"XDG_RUNTIME_DIR": "/x"}, files)).Storage
	if s.GraphRoot != "/s/1000" || s.RunRoot != "/x/containers" || s.Driver != "overlay" {
		t.Errorf("rootless: %+v", s)
	}
	files["home/u/.config/containers/storage.conf"] = "[storage]\nrunroot='/own'\n"
	o := tree(t, 1000, map[string]string{"XDG_RUNTIME_DIR": "/x"}, files)
	s = load(t, o).Storage
	if s.GraphRoot != filepath.Join(o.User.Home, ".local/share/containers/storage") || s.RunRoot != "/own" || s.Driver != "" {
		t.Errorf("rootless with own file: %+v", s)
	}
	files["etc/containers/storage.conf"] = "[storage]\ndriver_priority=['btrfs','vfs','overlay']\n"
	if s = load(t, tree(t, 0, nil, files)).Storage; s.Driver != "vfs" {
		t.Errorf("by priority: %+v", s)
	}
	files["etc/containers/storage.conf"] = "[storage.options]\npull_options={enable_partial_images='false', use_hard_links='false', ostree_repos='', convert_images='false'}\n"
	if p := load(t, tree(t, 0, nil, files)).Storage.Pull; p.InParts || p.Check() != nil {
		t.Errorf("pull options: %+v, %v", p, p.Check())
	}
	files["etc/containers/storage.conf"] = "[storage]\ndriver_priority=['btrfs']\n"
	if _, err := Load(tree(t, 0, nil, files)); err == nil || !strings.Contains(err.Error(), "neither overlay nor vfs") {
		t.Errorf("no driver of the list: %v", err)
	}
}

func TestEndpoints(t *testing.T) {
	c := load(t, tree(t, 0, nil, map[string]string{
		"etc/containers/registries.conf": `unqualified-search-registries = ["a.test"]
[[registry]]
prefix = "example.com/foo"
location = "internal.test/bar"
[[registry.mirror]]
location = "m0.test/mirror-for-foo"
insecure = true
[[registry.mirror]]
location = "m1.test"
pull-from-mirror = "digest-only"
[[registry]]
location = "localhost:5000"
[[registry]]
prefix = "*.wild.test"
insecure = true
[[registry]]
location = "bad.test"
blocked = true
[aliases]
short = "example.com/long/name"
gone = "example.com/gone"
`,
		"etc/containers/registries.conf.d/a.conf": "[[registry]]\nlocation='localhost:5000'\ninsecure=true\n[aliases]\ngone=''\n",
	}))
	r, err := c.Registries()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]Endpoint{
		"example.com/foo/img:1": {{"m0.test/mirror-for-foo/img:1", true, true}, {"internal.test/bar/img:1", false, false}},
		"example.com/foo@sha256:x": {{"m0.test/mirror-for-foo@sha256:x", true, true}, {"m1.test@sha256:x", false, true},
			{"internal.test/bar@sha256:x", false, false}},
		"example.com/foobar:1":  {{"example.com/foobar:1", false, false}},
		"localhost:5000/x:1":    {{"localhost:5000/x:1", true, false}},
		"a.b.wild.test:80/x:1":  {{"a.b.wild.test:80/x:1", true, false}},
		"docker.io/library/x:1": {{"docker.io/library/x:1", false, false}},
	} {
		got, err := r.Endpoints(name)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := r.Endpoints("bad.test/x:1"); !errors.Is(err, errdef.ErrDenied) {
		t.Errorf("blocked: %v", err)
	}
	if len(r.Aliases) != 1 || r.Aliases["short"] == "" || r.UnqualifiedSearch[0] != "a.test" {
		t.Errorf("aliases %v, search %v", r.Aliases, r.UnqualifiedSearch)
	}
}

// loadRegistries reads one registries.conf.
func loadRegistries(t *testing.T, text string) (*Registries, error) {
	t.Helper()
	return load(t, tree(t, 0, nil, map[string]string{"etc/containers/registries.conf": text})).Registries()
}

func TestRegistriesMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"[registries.search]\nregistries=['a.test']\n":                                                                             "format 1",
		"unqualified-search-registries=['http://a.test']\n":                                                                        "HOST[:PORT]",
		"unqualified-search-registries=['a.test/ns']\n":                                                                            "HOST[:PORT]",
		"unqualified-search-registries='a.test'\n":                                                                                 "array",
		"short-name-mode='bogus'\n":                                                                                                "short-name-mode",
		"[[registry]]\ninsecure=true\n":                                                                                            "neither a prefix nor a location",
		"[[registry]]\nlocation='https://a.test'\n":                                                                                "scheme",
		"[[registry]]\nprefix='*.a.test/x'\nlocation='b.test'\n":                                                                   "wildcard",
		"[[registry]]\nprefix='a.*.test'\nlocation='b.test'\n":                                                                     "wildcard",
		"[[registry]]\nlocation='a.test'\npull-from-mirror='all'\n":                                                                "pull-from-mirror",
		"[[registry]]\nlocation='a.test'\n[[registry.mirror]]\ninsecure=true\n":                                                    "no location",
		"[[registry]]\nlocation='a.test'\n[[registry.mirror]]\nlocation='b'\npull-from-mirror='x'\n":                               "digest-only",
		"[[registry]]\nlocation='a.test'\ninsecure=true\n[[registry]]\nlocation='a.test'\n":                                        "twice",
		"[[registry]]\nlocation='a.test'\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation='b'\npull-from-mirror='all'\n": "mirror-by-digest-only",
		"[aliases]\nfoo='foo'\n":                                                                                                   "with a registry",
		"[aliases]\nfoo='a.test/foo:1'\n":                                                                                          "without tag",
		"[aliases]\n'a.test/x'='a.test/x'\n":                                                                                       "without registry",
		"[aliases]\n'foo:1'='a.test/x'\n":                                                                                          "without registry",
	} {
		_, err := loadRegistries(t, text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "registries.conf") {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

func TestRegistriesVariableStandsForTheMainFileOnly(t *testing.T) {
	c := load(t, tree(t, 0, map[string]string{"CONTAINERS_REGISTRIES_CONF": "ROOT/own.conf"}, map[string]string{
		"own.conf":                                "unqualified-search-registries=['own.test']\n",
		"etc/containers/registries.conf":          "unqualified-search-registries=['etc.test']\n[aliases]\na='etc.test/a'\n",
		"etc/containers/registries.conf.d/1.conf": "[aliases]\nb='etc.test/b'\n",
	}))
	r, err := c.Registries()
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Aliases) != 1 || r.Aliases["b"] != "etc.test/b" || r.UnqualifiedSearch[0] != "own.test" || filepath.Base(r.AliasPaths["b"]) != "1.conf" {
		t.Errorf("got %+v", r)
	}
}

func TestRecordedAliasComesFirst(t *testing.T) {
	for _, uid := range []int{0, 1000} {
		o := tree(t, uid, map[string]string{"XDG_RUNTIME_DIR": "/x"}, map[string]string{"etc/containers/registries.conf": "[aliases]\nfoo='a.test/foo'\n"})
		for _, to := range []string{"b.test/x", "c.test/y"} {
			n, _ := ref.Parse("foo:3")
			full, _ := ref.Parse(to + ":3")
			if err := load(t, o).RecordAlias(n, full); err != nil {
				t.Fatal(err)
			}
			r, err := load(t, o).Registries()
			if err != nil || r.Aliases["foo"] != to || filepath.Base(r.AliasPaths["foo"]) != "short-name-aliases.conf" {
				t.Errorf("uid %d: aliases %v from %v, %v", uid, r.Aliases, r.AliasPaths, err)
			}
		}
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{"": 0, "65536k": 65536e3, "10MB": 10e6, "1GiB": 1 << 30, "64mib": 64 << 20, "7": 7, "-1": -1} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"b", "k", "x", "99999999t", "9999999999g"} {
		if _, err := parseSize(in); err == nil {
			t.Errorf("%q: no error", in)
		}
	}
}
