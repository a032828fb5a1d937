package sbom

import (
	"bytes"
	"debug/buildinfo"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// image is a root file system with packages of every kind.
func image(t *testing.T) string {
	root := t.TempDir()
	write(t, root, "usr/lib/os-release", "ID=debian\nVERSION_ID=\"13\"\nPRETTY_NAME=\"Debian 13\"\n")
	if err := os.Symlink("/usr/lib/os-release", filepath.Join(root, "etc-link")); err != nil {
		t.Fatal(err)
	}
	write(t, root, "var/lib/dpkg/status", "Package: libc6\nStatus: install ok installed\nVersion: 2.41-1\nArchitecture: amd64\nSource: glibc (2.41)\nDescription: a\n b: c\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n")
	write(t, root, "var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 13\nArchitecture: amd64\nMaintainer: A <a@b>\n")
	write(t, root, "var/lib/dpkg/status.d/base.md5sums", "Package: wrong\nVersion: 1\n")
	write(t, root, "lib/apk/db/installed", "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\n\nP:libssl3\nV:3.3-r1\nA:x86_64\no:openssl\n")
	data, err := os.ReadFile("testdata/rpmdb.sqlite")
	if err != nil {
		t.Fatal(err)
	}
	write(t, root, "var/lib/rpm/rpmdb.sqlite", string(data))
	write(t, root, "usr/bin/broken", "\x7fELF and no more")
	write(t, root, "src/go.mod", "module example.org/deep/prog\n\ngo 1.24\n")
	write(t, root, "src/main.go", "package main\n\nfunc main() {}\n")
	cmd := exec.Command("go", "build", "-o", filepath.Join(root, "usr/bin/prog"), ".")
	cmd.Dir, cmd.Env = filepath.Join(root, "src"), append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(filepath.Join(root, "usr/bin/broken"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestBills(t *testing.T) {
	inv, err := Scan(t.Context(), image(t), t.Errorf)
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for i := range inv.Packages {
		urls = append(urls, inv.Packages[i].PURL())
	}
	for _, want := range []string{
		"pkg:deb/debian/libc6@2.41-1?arch=amd64&distro=debian-13&upstream=glibc", "pkg:deb/debian/base-files@13?arch=amd64&distro=debian-13",
		"pkg:apk/debian/musl@1.2.5-r0?arch=x86_64&distro=debian-13", "pkg:apk/debian/libssl3@3.3-r1?arch=x86_64&distro=debian-13&upstream=openssl",
		"pkg:rpm/debian/pkg0@1.0-2.fc40?arch=x86_64&distro=debian-13&upstream=src0-1.0-2.fc40.src.rpm",
		"pkg:rpm/debian/pkg3@1.3-2.fc40?arch=x86_64&distro=debian-13&epoch=2&upstream=src3-1.3-2.fc40.src.rpm",
		"pkg:golang/example.org/deep/prog",
	} {
		if !slices.Contains(urls, want) {
			t.Errorf("%s is missing in\n%s", want, strings.Join(urls, "\n"))
		}
	}
	count := map[string]int{}
	for _, p := range inv.Packages {
		count[p.Type]++
	}
	if count["deb"] != 2 || count["apk"] != 2 || count["rpm"] != 40 || count["golang"] != 2 { // the program and its standard library
		t.Errorf("found %v", count)
	}
	about := About{Name: "localhost/x", Tool: "buildah", Version: "1", Time: time.Unix(0, 0)}
	for _, write := range []func(About) ([]byte, error){inv.CycloneDX, inv.SPDX} {
		bill, err := write(about)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := write(about)
		if string(bill) != string(again) {
			t.Error("the same inventory has two bills")
		}
		list, err := PURLs(bill)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Contents struct{ Dependencies []string } `json:"image_contents"`
		}
		if err := json.Unmarshal(list, &doc); err != nil {
			t.Fatal(err)
		}
		slices.Sort(urls)
		if !slices.Equal(doc.Contents.Dependencies, slices.Compact(urls)) {
			t.Errorf("package URLs are %s", list)
		}
	}
}

func TestPURL(t *testing.T) {
	for want, p := range map[string]Package{
		"pkg:deb/debian/libstdc%2B%2B6@1:14-a~b%2Bc?arch=amd64&distro=debian-13": {Type: typeDebian, Name: "libstdc++6", Version: "1:14-a~b+c", Arch: "amd64", vendor: "Debian", distro: "debian-13"},
		"pkg:golang/github.com/a%20b/c@v1.0.0%2Bincompatible":                    {Type: typeGo, Name: "github.com/a b/C", Version: "v1.0.0+incompatible"},
		"pkg:rpm/fedora/NetworkManager@1-2?epoch=3":                              {Type: typeRPM, Name: "NetworkManager", Version: "3:1-2", vendor: "fedora"},
		"pkg:apk/x%2F%3F%23%40":                                                  {Type: typeAPK, Name: "x/?#@"},
	} {
		if got := p.PURL(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestMerge(t *testing.T) {
	a := `{"specVersion":"1.5","components":[{"name":"a","version":"1","x":1}]}`
	b := `{"specVersion":"1.6","components":[{"name":"a","version":"1","x":2},{"name":"a","version":"2"}]}`
	got, err := Merge(MergeCycloneDX, [][]byte{[]byte(a), []byte(b)})
	if want := `{"components":[{"name":"a","version":"1","x":1},{"name":"a","version":"2"}],"specVersion":"1.5"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := Merge(MergeCat, [][]byte{[]byte(a), []byte(b)}); err != nil || string(got) != a+b {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := Merge(MergeSPDX, [][]byte{[]byte("x"), []byte(b)}); err == nil {
		t.Error("what is no bill was merged")
	}
	if _, err := Merge(MergeCycloneDX, [][]byte{[]byte("null"), []byte(b)}); err == nil {
		t.Error("null was merged")
	}
	if CheckMerge("foo") == nil {
		t.Error("an unknown strategy was taken")
	}
}

func FuzzRPM(f *testing.F) {
	data, err := os.ReadFile("testdata/rpmdb.sqlite")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = readRPM(data) })
}

// database is one of a table of packages, with pages of 512 bytes: the rows' page is the second.
func database(rows []byte) []byte {
	first, schema := make([]byte, 512), "tablePackagesPackages\x02"
	copy(first, sqliteMagic)
	first[16] = 2 // 512
	cell := append([]byte{byte(6 + len(schema)), 1, 6, 23, 29, 29, 1, 13}, schema...)
	at := 512 - len(cell)
	copy(first[at:], cell)
	copy(first[100:], []byte{13, 0, 0, 0, 1, byte(at >> 8), byte(at), 0, byte(at >> 8), byte(at)})
	return append(first, rows...)
}

func TestHostileDatabases(t *testing.T) {
	leaf := func(cells, at int, cell ...byte) []byte {
		p := make([]byte, 512)
		copy(p, []byte{13, 0, 0, byte(cells >> 8), byte(cells)})
		for i := range cells {
			p[8+2*i], p[9+2*i] = byte(at>>8), byte(at)
		}
		copy(p[at:], cell)
		return p
	}
	wide := append([]byte{0x87, 0x68, 1, 0x87, 0x68}, bytes.Repeat([]byte{8}, 400)...)
	circle := make([]byte, 512)
	copy(circle, []byte{5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2})
	for what, c := range map[string]struct {
		page []byte
		want string
	}{
		"sound":          {leaf(1, 500, 2, 1, 2, 8), ""},
		"overlapping":    {leaf(200, 412, append([]byte{80, 1, 80}, bytes.Repeat([]byte{8}, 79)...)...), "rows of page 2 overlap"},
		"circle":         {circle, "lead in circles"},
		"overflow":       {append(leaf(1, 12, wide...), make([]byte, 512)...), "has no page 134744072"},
		"beyond the end": {leaf(1, 510), "page 2 is broken"},
	} {
		_, err := readRPM(database(c.page))
		if got := fmt.Sprint(err); (err != nil) != (c.want != "") || err != nil && !strings.Contains(got, c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
	if _, ok := values(append([]byte{0x97, 0x00}, make([]byte, 2942)...)); ok {
		t.Error("a row has more columns than there may be")
	}
}

// Entries of an rpm header that all name one long text, and a tag twice.
func TestHostileHeader(t *testing.T) {
	data := append(bytes.Repeat([]byte{'a'}, 2*maxText), 0)
	entries := []uint32{rpmName, rpmName, 5000, rpmVersion}
	header := binary.BigEndian.AppendUint32(nil, uint32(len(entries)))
	header = binary.BigEndian.AppendUint32(header, uint32(len(data)))
	for i, tag := range entries {
		offset := uint32(2*maxText - 3 - i)
		if tag == rpmVersion {
			offset = 0 // too long
		}
		for _, n := range []uint32{tag, 6, offset, 1} {
			header = binary.BigEndian.AppendUint32(header, n)
		}
	}
	tags, ok := rpmTags(append(header, data...))
	if want := map[uint32]string{rpmName: "aaa", rpmVersion: ""}; !ok || !maps.Equal(tags, want) {
		t.Errorf("got %d tags, a name of %d bytes, %v", len(tags), len(tags[rpmName]), ok)
	}
}

// What is read of a program is bounded, and nothing in it stops the scan.
func TestHostileProgram(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(own)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := buildInfo(f); err != nil {
		t.Errorf("a sound program: %v", err)
	}
	if _, err := buildinfo.Read(&bounded{f, 1000}); err == nil {
		t.Error("more is read than may be")
	}
	if _, err := buildInfo(panics{}); err == nil {
		t.Error("a panic is no error")
	}
}

type panics struct{}

func (panics) ReadAt([]byte, int64) (int, error) { panic("broken") }
