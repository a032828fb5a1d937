package manifestlist

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/store"
)

func TestMain(m *testing.M) {
	if store.MaybeInit() {
		return
	}
	os.Exit(m.Run())
}

func lists(t *testing.T) (Lists, string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	st, err := store.Open(store.Options{GraphRoot: filepath.Join(dir, "graph"), RunRoot: filepath.Join(dir, "run"), Driver: "overlay",
		DriverOptions: []string{"overlay.skip_mount_home=true"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	cfg, err := config.Load(config.Options{Prefix: dir, Getenv: func(name string) string {
		return map[string]string{"HOME": dir, "XDG_RUNTIME_DIR": dir}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	return Lists{st, cfg}, dir
}

// image makes an image without layers for the architecture.
func image(t *testing.T, st *store.Store, name, arch string) digest.Digest {
	t.Helper()
	conf := []byte(`{"os":"linux","architecture":"` + arch + `","rootfs":{"type":"layers","diff_ids":[]}}`)
	m, err := json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Layers: []v1.Descriptor{},
		Config: v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(conf)), Digest: v1.Hash{Algorithm: "sha256", Hex: digest.FromBytes(conf).Encoded()}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.CreateImage(store.NewImage{Names: []string{name}, Manifest: m, Config: conf}); err != nil {
		t.Fatal(err)
	}
	return digest.FromBytes(m)
}

func TestListLives(t *testing.T) {
	s, dir := lists(t)
	ctx := context.Background()
	amd, arm := image(t, s.Store, "localhost/amd:latest", "amd64"), image(t, s.Store, "localhost/arm:latest", "arm64")
	id, err := s.Create(ctx, CreateRequest{Name: "l", Images: []string{"amd"}, Annotations: map[string]string{"a": "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(ctx, CreateRequest{Name: "l"}); !errors.Is(err, errdef.ErrConflict) || !strings.Contains(err.Error(), id) {
		t.Errorf("created twice: %v", err)
	}
	if again, err := s.Create(ctx, CreateRequest{Name: "l", Amend: true, Images: []string{"containers-storage:arm"}}); err != nil || again != id {
		t.Errorf("amended: %q, %v", again, err)
	}
	if _, _, err := s.Annotate(ctx, AnnotateRequest{List: "l", Image: arm.String(), Notes: Notes{Variant: "v8", Features: []string{"f"}, Annotations: map[string]string{"x": "y"}}}); err != nil {
		t.Error(err)
	}
	file := filepath.Join(dir, "file.txt")
	if err := os.WriteFile(file, []byte("text\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Add(ctx, AddRequest{List: "l", Artifact: &Artifact{Files: []string{file}, Type: "application/x", Subject: "amd"}}); err != nil {
		t.Error(err)
	}
	doc, err := s.Inspect(ctx, "l", registry.Options{Retries: -1})
	if err != nil || len(doc.Manifests) != 3 {
		t.Fatalf("%+v, %v", doc, err)
	}
	for i, want := range []DocumentEntry{
		{Digest: amd.String(), Platform: v1.Platform{OS: "linux", Architecture: "amd64"}},
		{Digest: arm.String(), Platform: v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8", Features: []string{"f"}}, Annotations: map[string]string{"x": "y"}},
		{Digest: doc.Manifests[2].Digest, ArtifactType: "application/x", Files: []string{file}},
	} {
		got := doc.Manifests[i]
		got.MediaType, got.Size = "", 0
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if string(a) != string(b) {
			t.Errorf("entry %d is %s, want %s", i, a, b)
		}
	}
	if doc.Annotations["a"] != "b" {
		t.Errorf("annotations %v", doc.Annotations)
	}
	for _, d := range []string{arm.String(), doc.Manifests[2].Digest} {
		if _, _, err := s.Remove("l", d); err != nil {
			t.Error(err)
		}
	}
	// What is gone from the list is gone from its other documents, one change later.
	if _, _, err := s.Annotate(ctx, AnnotateRequest{List: "l"}); err != nil {
		t.Error(err)
	}
	docs, err := s.Store.List(id)
	if err != nil || strings.Contains(string(docs.Instances), arm.String()) || string(docs.Artifacts) != "{}" {
		t.Errorf("instances %s, artifacts %s, %v", docs.Instances, docs.Artifacts, err)
	}
	if _, _, err := s.Remove("l", arm.String()); !errors.Is(err, errdef.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestNothingIsMadeOfMissingImages(t *testing.T) {
	s, _ := lists(t)
	ctx := context.Background()
	if _, err := s.Create(ctx, CreateRequest{Name: "l", Images: []string{"localhost:1/nosuch"}, Registry: registry.Options{Retries: -1}}); err == nil {
		t.Fatal("no error")
	}
	if images, err := s.Store.Images(); err != nil || len(images) > 0 {
		t.Errorf("left %v, %v", images, err)
	}
	image(t, s.Store, "localhost/i:latest", "amd64")
	if _, err := s.Find("i"); !errors.Is(err, errdef.ErrInvalid) || err.Error() != "localhost/i:latest: image is not a manifest list" {
		t.Errorf("an image passes as a list: %v", err)
	}
}

func TestManyAddAtOnce(t *testing.T) {
	s, _ := lists(t)
	ctx := context.Background()
	if _, err := s.Create(ctx, CreateRequest{Name: "l"}); err != nil {
		t.Fatal(err)
	}
	archs := []string{"amd64", "arm64", "s390x", "ppc64le", "riscv64", "386"}
	var all sync.WaitGroup
	for _, arch := range archs {
		image(t, s.Store, "localhost/"+arch+":latest", arch)
		all.Go(func() {
			if _, _, err := s.Add(ctx, AddRequest{List: "l", Images: []string{arch}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if doc, err := s.Inspect(ctx, "l", registry.Options{Retries: -1}); err != nil || len(doc.Manifests) != len(archs) {
		t.Errorf("%d images are in the list, %v", len(doc.Manifests), err)
	}
}
