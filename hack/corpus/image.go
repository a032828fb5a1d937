package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
)

// file is what a path of an image leads to; hard links share one.
type file struct {
	kind   byte
	mode   int64
	uid    int
	gid    int
	size   int64
	sum    string
	link   string
	device string
	attrs  map[string]string
	names  int
	text   string // of a small file, for messages
}

// image is an image with its layers laid over each other.
type image struct {
	config map[string]any
	files  map[string]*file
}

// readArchive reads an archive of docker's format into images by name.
func readArchive(name string) (map[string]*image, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	blobs, links := map[string][]byte{}, map[string]string{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink {
			links[h.Name] = h.Linkname
			continue
		}
		if blobs[h.Name], err = io.ReadAll(r); err != nil {
			return nil, err
		}
	}
	blob := func(name string) ([]byte, error) {
		if to, ok := links[name]; ok {
			name = path.Join(path.Dir(name), to)
		}
		data, ok := blobs[name]
		if !ok {
			return nil, fmt.Errorf("the archive lacks %q", name)
		}
		return data, nil
	}
	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(blobs["manifest.json"], &manifest); err != nil {
		return nil, err
	}
	images := map[string]*image{}
	for _, m := range manifest {
		i := &image{files: map[string]*file{}}
		config, err := blob(m.Config)
		if err == nil {
			err = json.Unmarshal(config, &i.config)
		}
		if err != nil {
			return nil, err
		}
		for _, layer := range m.Layers {
			data, err := blob(layer)
			if err == nil {
				err = i.apply(data)
			}
			if err != nil {
				return nil, fmt.Errorf("%v: layer %s: %w", m.RepoTags, layer, err)
			}
		}
		for _, f := range i.files {
			f.names++
		}
		for _, tag := range m.RepoTags {
			images[tag] = i
		}
	}
	return images, nil
}

// apply lays a layer over the files.
func (i *image) apply(layer []byte) error {
	var in io.Reader = bytes.NewReader(layer)
	if bytes.HasPrefix(layer, []byte{0x1f, 0x8b}) {
		var err error
		if in, err = gzip.NewReader(in); err != nil {
			return err
		}
	}
	fresh := map[string]bool{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := path.Clean("/" + h.Name)
		dir, base := path.Split(name)
		if base == ".wh..wh..opq" {
			i.remove(path.Clean(dir), true, fresh)
			continue
		}
		if hidden, ok := strings.CutPrefix(base, ".wh."); ok {
			i.remove(path.Join(dir, hidden), false, fresh)
			continue
		}
		fresh[name] = true
		if h.Typeflag == tar.TypeLink {
			i.files[name] = i.files[path.Clean("/"+h.Linkname)]
			if i.files[name] == nil {
				return fmt.Errorf("link %q to %q, which isn't there", h.Name, h.Linkname)
			}
			continue
		}
		if old := i.files[name]; old != nil && old.kind == tar.TypeDir && h.Typeflag != tar.TypeDir {
			i.remove(name, true, nil)
		}
		if i.files[name], err = newFile(h, r); err != nil {
			return err
		}
	}
}

// remove takes away a path with all below it, or only what is below; what the
// layer itself brought stays.
func (i *image) remove(name string, below bool, fresh map[string]bool) {
	for p := range i.files {
		if (p == name && !below || strings.HasPrefix(p, strings.TrimSuffix(name, "/")+"/")) && !fresh[p] {
			delete(i.files, p)
		}
	}
}

func newFile(h *tar.Header, r io.Reader) (*file, error) {
	f := &file{kind: h.Typeflag, mode: h.Mode & 0o7777, uid: h.Uid, gid: h.Gid, size: h.Size, link: h.Linkname, attrs: map[string]string{}}
	sum, start := sha256.New(), &bytes.Buffer{}
	if _, err := io.Copy(io.MultiWriter(sum, &head{start}), r); err != nil {
		return nil, err
	}
	f.sum, f.text = fmt.Sprintf("%x", sum.Sum(nil)[:6]), start.String()
	if h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock {
		f.device = fmt.Sprintf("%d:%d", h.Devmajor, h.Devminor)
	}
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			f.attrs[name] = value
		}
	}
	return f, nil
}

// head keeps the start of what is written to it.
type head struct{ *bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	if room := 300 - h.Len(); room > 0 {
		h.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (f *file) String() string {
	s := fmt.Sprintf("%c %o %d:%d size=%d %s", f.kind, f.mode, f.uid, f.gid, f.size, f.sum)
	if f.link != "" {
		s += " -> " + f.link
	}
	if f.device != "" {
		s += " " + f.device
	}
	for _, name := range slices.Sorted(maps.Keys(f.attrs)) {
		s += fmt.Sprintf(" %s=%q", name, f.attrs[name])
	}
	return fmt.Sprintf("%s names=%d", s, f.names)
}

// differences lists what is not the same in the other image.
func (i *image) differences(other *image) []string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(i.files)) {
		mine, theirs := i.files[name], other.files[name]
		switch {
		case theirs == nil:
			lines = append(lines, fmt.Sprintf("only ours has %s: %s %s", name, mine, shown(mine.text)))
		case mine.String() != theirs.String():
			lines = append(lines, fmt.Sprintf("%s: ours %s, docker's %s", name, mine, theirs))
			if mine.sum != theirs.sum {
				lines = append(lines, fmt.Sprintf("content of %s: ours %s, docker's %s", name, shown(mine.text), shown(theirs.text)))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(other.files)) {
		if i.files[name] == nil {
			lines = append(lines, fmt.Sprintf("only docker has %s: %s %s", name, other.files[name], shown(other.files[name].text)))
		}
	}
	return append(lines, i.configDifferences(other)...)
}

func shown(text string) string {
	if strings.ContainsRune(text, 0) {
		return "binary"
	}
	return fmt.Sprintf("%q", text)
}

func (i *image) configDifferences(other *image) []string {
	var lines []string
	mine, theirs := i.facts(), other.facts()
	keys := slices.AppendSeq(slices.Collect(maps.Keys(mine)), maps.Keys(theirs))
	sort.Strings(keys)
	for _, key := range slices.Compact(keys) {
		if mine[key] != theirs[key] {
			lines = append(lines, fmt.Sprintf("config %s: ours %s, docker's %s", key, mine[key], theirs[key]))
		}
	}
	return lines
}

// facts are the parts of the configuration that a user of the image meets.
func (i *image) facts() map[string]string {
	facts := map[string]string{}
	add := func(key string, value any) {
		text, _ := json.Marshal(value)
		switch string(text) {
		case "null", `""`, "[]", "{}", "false", "0":
			return
		}
		facts[key] = string(text)
	}
	for _, key := range []string{"os", "architecture", "variant", "author"} {
		add(key, i.config[key])
	}
	config, _ := i.config["config"].(map[string]any)
	for _, key := range []string{"Env", "Cmd", "Entrypoint", "User", "WorkingDir", "Labels", "Volumes", "ExposedPorts", "StopSignal", "Healthcheck", "Shell", "OnBuild"} {
		add(key, config[key])
	}
	history, _ := i.config["history"].([]any)
	add("history", len(history))
	return facts
}
