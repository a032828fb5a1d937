package sbom

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"debug/buildinfo"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
)

// maxDatabase is the size of the largest database of packages, in bytes.
const maxDatabase = 256 << 20

// Package is a piece of software that is in an image.
type Package struct {
	Type     string // of its package URL: deb, apk, rpm, golang
	Name     string
	Version  string
	Arch     string
	License  string // as the package says it
	Supplier string
	Source   string // the source package, where it has another name
	Place    string // of a Go module: the program that has it
	vendor   string // who names packages of the type: the distribution
	distro   string // NAME-VERSION
}

// Inventory is what a root file system holds.
type Inventory struct {
	Packages []Package
	Distro   Distro
}

// Distro is what a distribution says of itself in os-release.
type Distro struct{ ID, Version, Name string }

// Scan finds the packages below the root, sorted. warn is told what could not
// be read.
func Scan(ctx context.Context, root string, warn func(format string, args ...any)) (*Inventory, error) {
	inv := &Inventory{Distro: readDistro(root)}
	for _, db := range []struct {
		file string
		read func([]byte) ([]Package, error)
	}{
		{"/lib/apk/db/installed", readAPK}, {"/usr/lib/apk/db/installed", readAPK}, {"/var/lib/dpkg/status", readDpkg},
		{"/var/lib/rpm/rpmdb.sqlite", readRPM}, {"/usr/lib/sysimage/rpm/rpmdb.sqlite", readRPM},
	} {
		data, err := rootfs.ReadFile(root, db.file, maxDatabase)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			var found []Package
			found, err = db.read(data)
			inv.add(found)
		}
		if err != nil {
			warn("the packages in %s are not all listed: %v", db.file, err)
		}
	}
	inv.addSingle(root, warn)
	for _, old := range []string{"/var/lib/rpm/Packages", "/var/lib/rpm/Packages.db", "/usr/lib/sysimage/rpm/Packages.db"} {
		if _, err := rootfs.Stat(root, old); err == nil {
			warn("the packages in %s are not listed: only rpm's SQLite databases are read", old)
		}
	}
	if err := inv.programs(ctx, root); err != nil {
		return nil, err
	}
	key := func(p Package) string {
		return strings.Join([]string{p.Type, p.Name, p.Version, p.Arch, p.Place}, "\x00")
	}
	slices.SortFunc(inv.Packages, func(a, b Package) int { return cmp.Compare(key(a), key(b)) })
	inv.Packages = slices.CompactFunc(inv.Packages, func(a, b Package) bool { return key(a) == key(b) })
	return inv, nil
}

// add takes in packages of the distribution.
func (inv *Inventory) add(found []Package) {
	for _, p := range found {
		p.vendor = inv.Distro.ID
		if p.distro = inv.Distro.ID; inv.Distro.Version != "" {
			p.distro += "-" + inv.Distro.Version
		}
		inv.Packages = append(inv.Packages, p)
	}
}

// addSingle reads dpkg's data where each package has a file of its own, as
// images without a package manager keep it.
func (inv *Inventory) addSingle(root string, warn func(string, ...any)) {
	const dir = "/var/lib/dpkg/status.d"
	f, err := rootfs.Open(root, dir)
	if err != nil {
		return
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	for _, name := range names {
		if strings.HasSuffix(name, ".md5sums") {
			continue
		}
		data, rerr := rootfs.ReadFile(root, dir+"/"+name, 1<<20)
		if rerr == nil {
			var found []Package
			found, rerr = readDpkg(data)
			inv.add(found)
		}
		err = cmp.Or(err, rerr) // the first is enough
	}
	if err != nil {
		warn("the packages in %s are not all listed: %v", dir, err)
	}
}

func readDistro(root string) (d Distro) {
	for _, file := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		data, err := rootfs.ReadFile(root, file, 1<<20)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			value = strings.Trim(value, `"'`)
			switch key {
			case "ID":
				d.ID = value
			case "VERSION_ID":
				d.Version = value
			case "PRETTY_NAME":
				d.Name = value
			}
		}
		return d
	}
	return d
}

// paragraphs gives blocks of lines that an empty line ends. Lines that begin
// with a blank go on with the one before, and aren't needed.
func paragraphs(data []byte, each func(fields map[string]string)) error {
	fields := map[string]string{}
	in := bufio.NewScanner(bytes.NewReader(data))
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		line := in.Text()
		switch key, value, ok := strings.Cut(line, ":"); {
		case strings.TrimSpace(line) == "":
			each(fields)
			fields = map[string]string{}
		case ok && line[0] != ' ' && line[0] != '\t':
			if _, twice := fields[key]; !twice {
				fields[key] = strings.TrimSpace(value)
			}
		}
	}
	each(fields)
	return in.Err()
}

func readDpkg(data []byte) (found []Package, err error) {
	err = paragraphs(data, func(f map[string]string) {
		state := f["Status"]
		if f["Package"] == "" || state != "" && !strings.HasSuffix(state, " installed") {
			return
		}
		source, _, _ := strings.Cut(f["Source"], " ")
		found = append(found, Package{Type: typeDebian, Name: f["Package"], Version: f["Version"], Arch: f["Architecture"], Supplier: f["Maintainer"], Source: source})
	})
	return found, err
}

func readAPK(data []byte) (found []Package, err error) {
	err = paragraphs(data, func(f map[string]string) {
		if f["P"] == "" {
			return
		}
		source := f["o"]
		if source == f["P"] {
			source = ""
		}
		found = append(found, Package{Type: typeAPK, Name: f["P"], Version: f["V"], Arch: f["A"], License: f["L"], Supplier: f["m"], Source: source})
	})
	return found, err
}

// programs looks for Go programs among the executable files.
func (inv *Inventory) programs(ctx context.Context, root string) error {
	top, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer top.Close()
	return fs.WalkDir(top.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		if info, err := entry.Info(); err != nil || info.Mode()&0o111 == 0 {
			return nil
		}
		f, err := top.Open(name)
		if err != nil {
			return nil
		}
		defer f.Close()
		inv.program("/"+name, f)
		return nil
	})
}

func (inv *Inventory) program(name string, f *os.File) {
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil || string(magic) != "\x7fELF" {
		return
	}
	info, err := buildInfo(f)
	if err != nil {
		return // a program of another language
	}
	add := func(module, version string) {
		if module != "" {
			inv.Packages = append(inv.Packages, Package{Type: typeGo, Name: module, Version: strings.TrimSuffix(version, "\n"), Place: name})
		}
	}
	if info.Main.Version != "(devel)" {
		add(info.Main.Path, info.Main.Version)
	} else {
		add(info.Main.Path, "")
	}
	add("stdlib", strings.TrimPrefix(info.GoVersion, "go"))
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		add(dep.Path, dep.Version)
	}
}

// maxProgram is how much is read of a program, in bytes. What Go programs say
// of themselves is near the beginning of their data.
const maxProgram = 64 << 20

// buildInfo reads what a Go program says of itself. The package for it is
// not made for hostile files: it would read a sparse file of any size, and doesn't rule out panics.
func buildInfo(f io.ReaderAt) (info *buildinfo.BuildInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = invalid("broken program: %v", p)
		}
	}()
	return buildinfo.Read(&bounded{f, maxProgram})
}

// bounded reads as many bytes in all as are left.
type bounded struct {
	from io.ReaderAt
	left int
}

func (b *bounded) ReadAt(p []byte, at int64) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, invalid("more than %d bytes would be read", maxProgram)
	}
	return b.from.ReadAt(p, at)
}

// invalid is the error of a file that isn't what its name says.
func invalid(format string, args ...any) error {
	return errdef.Newf(errdef.ErrInvalid, format, args...)
}
