package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	spec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

func TestApplyChanges(t *testing.T) {
	var got spec.ImageConfig
	err := applyChanges(&got, []string{
		`CMD ["a", "b"]`, "cmd x  y", `ENTRYPOINT=["/init"]`, "ENV A=b C", `ENV Q="two words"`, "ENV EMPTY", "ENV A=again",
		"EXPOSE 80", "EXPOSE 90/udp", "LABEL a=b", `LABEL "c d"='e'`, "USER me:us", "VOLUME /x /y", `VOLUME ["/z"]`, "WORKDIR /w", "STOPSIGNAL SIGINT",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := spec.ImageConfig{
		Cmd: []string{"/bin/sh", "-c", "x  y"}, Entrypoint: []string{"/init"}, Env: []string{"A=again", "Q=two words", "EMPTY="},
		ExposedPorts: map[string]struct{}{"80/tcp": {}, "90/udp": {}}, Labels: map[string]string{"a": "b", "c d": "e"}, User: "me:us",
		Volumes: map[string]struct{}{"/x": {}, "/y": {}, "/z": {}}, WorkingDir: "/w", StopSignal: "SIGINT",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestApplyChangesRefuses(t *testing.T) {
	for _, test := range []struct{ change, want string }{
		{"CMD", `invalid change "CMD" - must be formatted as KEY VALUE`},
		{"BOGUS x", "invalid instruction BOGUS"},
		{"ENV =x", "ENV must have a name"},
		{"EXPOSE x", "EXPOSE port must be an integer"},
		{"EXPOSE 0", "between 1 and 65535"},
		{"EXPOSE 80/ip", "tcp, udp or sctp"},
		{"LABEL x", "LABEL must be formatted key=value"},
		{"STOPSIGNAL bogus", "invalid signal: bogus"},
		{"ONBUILD RUN x", "ONBUILD"},
	} {
		err := applyChanges(new(spec.ImageConfig), []string{test.change})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.change, err, test.want)
		}
	}
}

func TestSplitImageName(t *testing.T) {
	for name, want := range map[string][2]string{
		"":                                  {"<none>", "<none>"},
		"localhost/a:v1":                    {"localhost/a", "v1"},
		"host:5000/a":                       {"host:5000/a", "<none>"},
		"host:5000/a:v1":                    {"host:5000/a", "v1"},
		"localhost/a@sha256:" + hex64("ab"): {"localhost/a", "<none>"},
	} {
		repository, tag := SplitImageName(name)
		if got := [2]string{repository, tag}; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func hex64(s string) string { return strings.Repeat(s, 64/len(s)) }

func TestMatchReference(t *testing.T) {
	img := &store.Image{Names: []string{"docker.io/library/busybox:1.36", "localhost/app:v1"}, Digests: []digest.Digest{digest.Digest("sha256:" + hex64("ab"))}}
	for pattern, want := range map[string]bool{
		"busybox":                              true,
		"busybox:1.36":                         true,
		"busybox:1.35":                         false,
		"docker.io/library/busybox":            true,
		"*box*":                                true,
		"localhost/*":                          true,
		"app:v?":                               true,
		"ap":                                   false,
		"localhost/app@sha256:" + hex64("ab"):  true,
		"localhost/none@sha256:" + hex64("ab"): false,
		"[":                                    false,
	} {
		if got := matchReference(pattern, img); got != want {
			t.Errorf("%s: got %v", pattern, got)
		}
	}
}

func TestSearchTerms(t *testing.T) {
	for term, want := range map[string][2]string{
		"localhost:5000/":   {"localhost:5000", ""},
		"localhost/a":       {"localhost", "a"},
		"quay.io/x/y":       {"quay.io", "x/y"},
		"library/busybox":   {"", "library/busybox"},
		"busybox":           {"", "busybox"},
		"registry.io":       {"", "registry.io"},
		"[::1]:5000/x":      {"[::1]:5000", "x"},
		"not-a-host/x:5000": {"", "not-a-host/x:5000"},
	} {
		host, rest := splitTerm(term)
		if got := [2]string{host, rest}; got != want {
			t.Errorf("%s: got %v, want %v", term, got, want)
		}
	}
	keep, err := searchFilter([]string{"stars=3", "is-official"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		FoundImage
		want bool
	}{{FoundImage{Stars: 3, Official: true}, true}, {FoundImage{Stars: 2, Official: true}, false}, {FoundImage{Stars: 9}, false}} {
		if keep(&f.FoundImage) != f.want {
			t.Errorf("%+v", f)
		}
	}
	for _, bad := range []string{"stars", "stars=x", "bogus=1"} {
		if _, err := searchFilter([]string{bad}); !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

// step puts a layer with the file on the parent, or with no file a step
// without a layer, and makes an image of it all.
func step(t *testing.T, e *Engine, parent, file, name string, age time.Duration) string {
	t.Helper()
	doc := new(imageDoc)
	top := ""
	if parent != "" {
		img, err := e.Store.Image(parent)
		if err != nil {
			t.Fatal(err)
		}
		if doc, err = e.imageDoc(parent); err != nil {
			t.Fatal(err)
		}
		top = img.TopLayer
	}
	made := time.Unix(1000000, 0).UTC().Add(-age)
	h := spec.History{Created: &made, CreatedBy: "step " + file, EmptyLayer: file == ""}
	if file != "" {
		staged, err := e.Store.StageLayer(t.Context(), store.Blob{Size: -1}, bytes.NewReader(tarOf(t, file)))
		if err != nil {
			t.Fatal(err)
		}
		layer, err := staged.Commit(top)
		if err != nil {
			t.Fatal(err)
		}
		top = layer.ID
		doc.RootFS.DiffIDs = append(doc.RootFS.DiffIDs, layer.DiffID)
	}
	doc.Created, doc.RootFS.Type, doc.History = &made, "layers", append(doc.History, h)
	config, err := json.Marshal(spec.Image{Created: doc.Created, RootFS: doc.RootFS, History: doc.History,
		Config: spec.ImageConfig{Labels: map[string]string{"file": file}}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	if name != "" {
		names = []string{"localhost/" + name}
	}
	img, err := e.Store.CreateImage(store.NewImage{Names: names, Manifest: []byte(`{"schemaVersion":2}`), Config: config, TopLayer: top, Created: made})
	if err != nil {
		t.Fatal(err)
	}
	return img.ID
}

func ids(images []Image) []string {
	var all []string
	for _, img := range images {
		all = append(all, img.ID)
	}
	return all
}

// TestImageFamily makes base ← (unnamed) ← (unnamed, no layer) ← app, and a
// stray image.
func TestImageFamily(t *testing.T) {
	e := openEngine(t)
	base := step(t, e, "", "base", "base:v1", 5*time.Hour)
	mid := step(t, e, base, "mid", "", 4*time.Hour)
	low := step(t, e, mid, "", "", 3*time.Hour)
	app := step(t, e, low, "app", "app:latest", 2*time.Hour)
	stray := step(t, e, "", "stray", "", time.Hour)

	for _, test := range []struct {
		req  ListImagesRequest
		want []string
	}{
		{ListImagesRequest{}, []string{stray, app, base}},
		{ListImagesRequest{All: true}, []string{stray, app, low, mid, base}},
		{ListImagesRequest{Filters: []string{"dangling=true"}}, []string{stray}},
		{ListImagesRequest{Filters: []string{"intermediate=true"}}, []string{low, mid}},
		{ListImagesRequest{Filters: []string{"dangling=false"}}, []string{app, low, mid, base}},
		{ListImagesRequest{Filters: []string{"reference=app", "reference=base:v1"}}, []string{app, base}},
		{ListImagesRequest{Filters: []string{"reference!=app", "reference!=base"}}, []string{stray}},
		{ListImagesRequest{Filters: []string{"label=file=app"}}, []string{app}},
		{ListImagesRequest{Filters: []string{"label=file", "label=nosuch"}}, nil},
		{ListImagesRequest{Filters: []string{"label!=file=app"}}, []string{stray, base}},
		{ListImagesRequest{Filters: []string{"since=base:v1"}}, []string{stray, app}},
		{ListImagesRequest{Filters: []string{"before=app"}}, []string{base}},
		{ListImagesRequest{Filters: []string{"id=" + app[:8]}}, []string{app}},
		{ListImagesRequest{Name: "app"}, []string{app}},
		{ListImagesRequest{Name: low[:12]}, []string{low}},
		{ListImagesRequest{Name: "nosuch"}, nil},
	} {
		images, err := e.ListImages(test.req)
		if err != nil {
			t.Errorf("%+v: %v", test.req, err)
		}
		if got := ids(images); !slices.Equal(got, test.want) {
			t.Errorf("%+v:\ngot  %v\nwant %v", test.req, got, test.want)
		}
	}

	steps, err := e.ImageHistory("app")
	if err != nil {
		t.Fatal(err)
	}
	var history []string
	for _, s := range steps {
		history = append(history, s.ID)
	}
	if want := []string{app, low, mid, base}; !slices.Equal(history, want) {
		t.Errorf("history: got %v, want %v", history, want)
	}
	info, err := e.InspectImage("app")
	if err != nil {
		t.Fatal(err)
	}
	if parent := info.(*ImageInfo).Parent; parent != low {
		t.Errorf("the parent is %s, want %s", parent, low)
	}
	removeFamily(t, e, base, mid, low, app, stray)
}

func removeFamily(t *testing.T, e *Engine, base, mid, low, app, stray string) {
	t.Helper()
	_, errs := e.RemoveImages(t.Context(), RemoveImagesRequest{Names: []string{mid, "nosuch"}})
	if len(errs) != 2 || !errors.Is(errs[0], errdef.ErrBusy) || !errors.Is(errs[1], errdef.ErrNotFound) {
		t.Fatalf("remove an intermediate image and none: %v", errs)
	}
	removed, errs := e.RemoveImages(t.Context(), RemoveImagesRequest{Names: []string{"app"}})
	if want := (RemovedImages{[]string{"localhost/app:latest"}, []string{app, low, mid}}); len(errs) > 0 || !reflect.DeepEqual(removed, want) {
		t.Fatalf("remove the child: got %v %v, want %v", removed, errs, want)
	}
	pruned, err := e.PruneImages(t.Context(), PruneImagesRequest{Filters: []string{"label=file=nosuch"}})
	if err != nil || len(pruned) > 0 {
		t.Fatalf("prune by label: %v %v", pruned, err)
	}
	if pruned, err = e.PruneImages(t.Context(), PruneImagesRequest{}); err != nil || !slices.Equal(pruned, []string{stray}) {
		t.Fatalf("prune: %v %v", pruned, err)
	}
	if pruned, err = e.PruneImages(t.Context(), PruneImagesRequest{All: true}); err != nil || !slices.Equal(pruned, []string{base}) {
		t.Fatalf("prune all: %v %v", pruned, err)
	}
}

func TestImageNames(t *testing.T) {
	e := openEngine(t)
	id := step(t, e, "", "base", "base:latest", 0)
	if err := e.TagImage("base", []string{"other:v2", "third"}); err != nil {
		t.Fatal(err)
	}
	if err := e.UntagImage("base", []string{"nosuch"}); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("untag a name it hasn't: %v", err)
	}
	_, errs := e.RemoveImages(t.Context(), RemoveImagesRequest{Names: []string{id}})
	if len(errs) != 1 || !errors.Is(errs[0], errdef.ErrConflict) {
		t.Errorf("remove an image of several names by its ID: %v", errs)
	}
	removed, errs := e.RemoveImages(t.Context(), RemoveImagesRequest{Names: []string{"other:v2"}, Force: true})
	if len(errs) > 0 || !slices.Equal(removed.Untagged, []string{"localhost/other:v2"}) || len(removed.Deleted) > 0 {
		t.Errorf("remove one name: %v %v", removed, errs)
	}
	if err := e.UntagImage("third", nil); err != nil {
		t.Fatal(err)
	}
	img, err := e.LookupImage(id[:12])
	if err != nil || len(img.Names) > 0 {
		t.Errorf("after untagging all: %v %v", img.Names, err)
	}
}

// TestTwins holds that of two images with the same history neither was made
// from the other.
func TestTwins(t *testing.T) {
	e := openEngine(t)
	req := ImportImageRequest{Path: writeFile(t, t.TempDir(), "root.tar", tarOf(t, "file")), Progress: cliout.NewProgress(nil, "none")}
	for _, change := range []string{"USER a", "USER b"} {
		req.Changes = []string{change}
		if _, err := e.ImportImage(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	images, err := e.ListImages(ListImagesRequest{})
	if err != nil || len(images) != 2 {
		t.Fatalf("got %v %v", ids(images), err)
	}
	if parent, err := images[0].Parent(); err != nil || parent != "" {
		t.Errorf("the parent is %q, %v", parent, err)
	}
}

// TestBrokenImage holds that an image without its layer hides no other one, and
// can be removed.
func TestBrokenImage(t *testing.T) {
	e := openEngine(t)
	broken := step(t, e, "", "broken", "broken:latest", 0)
	whole := step(t, e, "", "whole", "whole:latest", time.Hour)
	img, err := e.Store.Image(broken)
	if err != nil {
		t.Fatal(err)
	}
	forgetLayer(t, e, img.TopLayer)
	images, err := e.ListImages(ListImagesRequest{Sizes: true})
	if err != nil || !slices.Equal(ids(images), []string{broken, whole}) || images[0].Size >= 0 || images[1].Size <= 0 {
		t.Errorf("got %v %v", images, err)
	}
	removed, errs := e.RemoveImages(t.Context(), RemoveImagesRequest{Names: []string{"broken"}})
	if len(errs) > 0 || !slices.Equal(removed.Deleted, []string{broken}) {
		t.Errorf("remove: %v %v", removed, errs)
	}
	if images, err = e.ListImages(ListImagesRequest{}); err != nil || !slices.Equal(ids(images), []string{whole}) {
		t.Errorf("afterwards: %v %v", ids(images), err)
	}
}

// forgetLayer takes the layer out of the store's list.
func forgetLayer(t *testing.T, e *Engine, id string) {
	t.Helper()
	path := filepath.Join(e.Store.GraphRoot(), "overlay-layers", "layers.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var layers []map[string]any
	if err := json.Unmarshal(data, &layers); err != nil {
		t.Fatal(err)
	}
	layers = slices.DeleteFunc(layers, func(l map[string]any) bool { return l["id"] == id })
	if data, err = json.Marshal(layers); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	// Another process would see it at once; this one by the file's time.
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	e.Close()
	again, err := Open(Options{Config: e.Config})
	if err != nil {
		t.Fatal(err)
	}
	e.Store = again.Store
}

func TestImportSaveLoad(t *testing.T) {
	e := openEngine(t)
	dir := t.TempDir()
	quiet := cliout.NewProgress(nil, "none")
	root := writeFile(t, dir, "root.tar", tarOf(t, "file"))
	req := ImportImageRequest{Path: root, Name: "base", Message: "m", Progress: quiet}
	id, err := e.ImportImage(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := e.ImportImage(t.Context(), req); err != nil || again != id {
		t.Errorf("the same import made %s, then %s, %v", id, again, err)
	}
	for _, format := range []string{SaveDockerArchive, SaveOCIArchive, SaveOCIDir} {
		out := dir + "/" + format
		if err := e.SaveImage(t.Context(), SaveImageRequest{Image: "base", Format: format, Output: out, Progress: quiet}); err != nil {
			t.Errorf("save as %s: %v", format, err)
			continue
		}
		// A colon in the path is no end of it.
		if err := os.Rename(out, out+":x"); err != nil {
			t.Fatal(err)
		}
		if _, errs := e.RemoveImages(t.Context(), RemoveImagesRequest{All: true}); len(errs) > 0 {
			t.Fatal(errs)
		}
		names, err := e.LoadImages(t.Context(), out+":x", nil, quiet)
		if err != nil || !slices.Equal(names, []string{"localhost/base:latest"}) {
			t.Errorf("load from %s: %v %v", format, names, err)
		}
		if img, err := e.LookupImage("base"); err != nil || img.ID != id {
			t.Errorf("%s came back as %s, %v", id, img.ID, err)
		}
	}
}

func TestImportLeavesNothing(t *testing.T) {
	e := openEngine(t)
	quiet := cliout.NewProgress(nil, "none")
	whole := tarOf(t, "file")
	short := writeFile(t, t.TempDir(), "short.tar", whole[:514])
	if _, err := e.ImportImage(t.Context(), ImportImageRequest{Path: short, Progress: quiet}); err == nil {
		t.Error("half a tar was imported")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.ImportImage(gone, ImportImageRequest{Path: writeFile(t, t.TempDir(), "a.tar", whole), Progress: quiet}); err == nil {
		t.Error("an interrupted import made an image")
	}
	if _, err := e.ImportImage(t.Context(), ImportImageRequest{Path: short, Name: "BAD", Progress: quiet}); !errors.Is(err, errdef.ErrInvalid) {
		t.Errorf("a malformed name: %v", err)
	}
	if images, err := e.ListImages(ListImagesRequest{All: true}); err != nil || len(images) > 0 {
		t.Errorf("left: %v %v", ids(images), err)
	}
	if _, found := e.Store.FindLayer("", digest.FromBytes(whole)); found {
		t.Error("a layer is left")
	}
}

func TestVolumes(t *testing.T) {
	e := openEngine(t)
	for _, req := range []CreateVolumeRequest{{Name: "one", Labels: []string{"a=b"}}, {Name: "two"}} {
		if _, err := e.CreateVolume(req); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.CreateVolume(CreateVolumeRequest{Name: "one"}); !errors.Is(err, errdef.ErrConflict) {
		t.Errorf("a taken name: %v", err)
	}
	if _, err := e.CreateVolume(CreateVolumeRequest{Name: "one", Ignore: true}); err != nil {
		t.Errorf("a taken name, ignored: %v", err)
	}
	for _, bad := range []CreateVolumeRequest{{Name: "../x"}, {Name: "x", Driver: "bogus"}, {Name: "x", Labels: []string{""}}} {
		if _, err := e.CreateVolume(bad); err == nil {
			t.Errorf("%+v was made", bad)
		}
	}
	for filter, want := range map[string][]string{"label=a": {"one"}, "label!=a": {"two"}, "name=w": {"two"}, "dangling=true": {"one", "two"}, "dangling=false": nil, "since=one": {"two"}} {
		volumes, err := e.ListVolumes([]string{filter})
		var got []string
		for _, v := range volumes {
			got = append(got, v.Name)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v %v, want %v", filter, got, err, want)
		}
	}
	removed, errs := e.RemoveVolumes(t.Context(), RemoveVolumesRequest{Names: []string{"one", "nosuch"}})
	if !slices.Equal(removed, []string{"one"}) || len(errs) != 1 || !errors.Is(errs[0], errdef.ErrNotFound) {
		t.Errorf("remove: %v %v", removed, errs)
	}
}

func TestPruneImagesOfOtherToolsContainers(t *testing.T) {
	e := openEngine(t)
	ctx := context.Background()
	id, err := e.ImportImage(ctx, ImportImageRequest{Path: writeFile(t, t.TempDir(), "a.tar", tarOf(t, "a")), Progress: cliout.NewProgress(nil, "none")})
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.Store.CreateContainer(store.NewContainer{Names: []string{"working"}, ImageID: id})
	if err != nil {
		t.Fatal(err)
	}
	if removed, err := e.PruneImages(ctx, PruneImagesRequest{All: true}); err != nil || len(removed) > 0 {
		t.Errorf("without external: %v, %v", removed, err)
	}
	if removed, err := e.PruneImages(ctx, PruneImagesRequest{External: true}); err != nil || !slices.Equal(removed, []string{id}) {
		t.Errorf("with external: %v, %v", removed, err)
	}
	if _, err := e.Store.Container(c.ID); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("the container is there: %v", err)
	}
}
