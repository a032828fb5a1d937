package clitest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/podsuite/podsuite/shared/clitest"
)

const module = "github.com/podsuite/podsuite/"

// goPackage is what go list tells about a package.
type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// packages are the packages of the whole workspace.
func packages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports",
		module+"shared/...", module+"buildah/...", module+"skopeo/...", module+"podman/...")
	list.Dir = clitest.Top(t)
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// rule says that nothing from importers may import what imported names,
// except from the places in but.
type rule struct{ importers, imported, but string }

// The direction is main → cli → engine → domain → shared.
func rules() []rule {
	return []rule{
		{importers: "shared/", imported: module + "(buildah|podman|skopeo)"},
		{importers: "skopeo", imported: module + "(buildah|podman)"},
		{importers: "buildah", imported: module + "(podman|skopeo)"},
		{importers: "podman", imported: module + "skopeo"},
		{importers: "podman", imported: module + "buildah/(cli|dockerfile)"},
		{importers: "podman/engine", imported: module + "podman/cli|github.com/spf13/cobra|net/http$"},
		{importers: "podman/engine/.", imported: module + "podman/engine$"},
		{importers: "buildah/(build|dockerfile)(/|$)", imported: module + "buildah/(cli|buildcmd|manifestcmd)|github.com/spf13/cobra"},
		{importers: "shared/", imported: "github.com/spf13/cobra", but: "shared/(complete|cliout|cliflag|clitest)"},
		{importers: "", imported: "go.podman.io/storage", but: "shared/store"},
		{importers: "", imported: "github.com/moby/buildkit", but: "buildah/dockerfile"},
		{importers: "", imported: module + "shared/clitest", but: ".*/e2e|shared/clitest"},
		{importers: "shared/errdef", imported: "[^/]*[.]"},
		{importers: "shared/config", imported: "go.podman.io|" + module + "shared/store"},
	}
}

func TestImportDirection(t *testing.T) {
	all := packages(t)
	for _, r := range rules() {
		from := regexp.MustCompile("^" + module + "(" + r.importers + ")")
		to := regexp.MustCompile("^(" + r.imported + ")")
		but := regexp.MustCompile("^" + module + "(" + r.but + ")")
		for _, p := range all {
			if !from.MatchString(p.ImportPath) || r.but != "" && but.MatchString(p.ImportPath) {
				continue
			}
			for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
				if to.MatchString(imported) && imported != p.ImportPath {
					t.Errorf("%s imports %s", strings.TrimPrefix(p.ImportPath, module), imported)
				}
			}
		}
	}
}

// Every package outside the standard library and this workspace that is
// imported directly belongs to a module with a line in docs/architecture.md.
func TestEveryDependencyHasAReason(t *testing.T) {
	top := clitest.Top(t)
	text, err := os.ReadFile(filepath.Join(top, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "## Dependencies")
	if !ok {
		t.Fatal("docs/architecture.md has no section Dependencies")
	}
	missing := map[string]string{}
	for _, p := range packages(t) {
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			host, _, _ := strings.Cut(imported, "/")
			if strings.Contains(host, ".") && !strings.HasPrefix(imported, module) && !explained(table, imported) {
				missing[imported] = p.ImportPath
			}
		}
	}
	for imported, by := range missing {
		t.Errorf("%s, imported by %s, has no line in docs/architecture.md", imported, by)
	}
}

// explained looks for a table row of the package's module: `path`.
func explained(table, path string) bool {
	for ; path != "." && path != "/"; path = filepath.Dir(path) {
		if strings.Contains(table, "| `"+path+"` |") {
			return true
		}
	}
	return false
}
