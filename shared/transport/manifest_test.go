package transport

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
)

const (
	imageDoc = `{"schemaVersion":2,"config":{},"layers":[]}`
	listDoc  = `{"schemaVersion":2,"manifests":[]}`
)

func TestMediaType(t *testing.T) {
	for _, c := range []struct {
		doc            string
		declared, want types.MediaType
	}{
		{imageDoc, "", types.OCIManifestSchema1},
		{imageDoc, types.DockerManifestSchema2, types.DockerManifestSchema2},
		{imageDoc, "text/plain", types.OCIManifestSchema1},
		{listDoc, "", types.OCIImageIndex},
		{listDoc, types.DockerManifestList, types.DockerManifestList},
		// What one reader takes for an image and another for a list is neither.
		{`{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}`, "", ""},
		{`{"schemaVersion":2,"config":{},"manifests":[]}`, types.OCIManifestSchema1, ""},
		{`{"schemaVersion":2,"layers":[],"manifests":[]}`, types.OCIImageIndex, ""},
		{imageDoc, types.OCIImageIndex, ""},
		{listDoc, types.OCIManifestSchema1, ""},
		{`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","config":{},"layers":[]}`, types.OCIManifestSchema1, ""},
		{`[]`, "", ""},
		{``, types.OCIManifestSchema1, ""},
	} {
		got, err := MediaType([]byte(c.doc), c.declared)
		if got != c.want || (err != nil) != (c.want == "") || err != nil && !errors.Is(err, errdef.ErrInvalid) {
			t.Errorf("%s as %q: %q, %v", c.doc, c.declared, got, err)
		}
	}
}

func TestManifestOfTenThousandLayers(t *testing.T) {
	d := fmt.Sprintf(`{"mediaType":%q,"size":1,"digest":%q}`, types.OCILayer, digest.FromString("x"))
	doc := fmt.Sprintf(`{"schemaVersion":2,"config":%s,"layers":[%s%s]}`, d, strings.Repeat(d+",", 9999), d)
	if _, err := ParseImage([]byte(doc)); !errors.Is(err, errdef.ErrInvalid) || !strings.Contains(err.Error(), "10000 layers") {
		t.Errorf("error %v", err)
	}
}

// FuzzManifest: whatever a registry says, it is refused or means one thing.
func FuzzManifest(f *testing.F) {
	for _, doc := range []string{imageDoc, listDoc, `{"schemaVersion":2,"config":{"size":-1},"manifests":null}`, `{"schemaVersion":1}`, "null"} {
		f.Add([]byte(doc), "")
		f.Add([]byte(doc), string(types.OCIManifestSchema1))
	}
	f.Fuzz(func(t *testing.T, doc []byte, declared string) {
		mt, err := MediaType(doc, types.MediaType(declared))
		if err != nil {
			return
		}
		if mt.IsImage() == mt.IsIndex() {
			t.Fatalf("the type is %q", mt)
		}
		if m, err := ParseImage(doc); err == nil {
			for _, l := range append(m.Layers, m.Config) {
				if l.Size < 0 || Digest(l).Validate() != nil {
					t.Fatalf("descriptor %+v", l)
				}
			}
		}
		if x, err := ParseIndex(doc); err == nil {
			for _, d := range x.Manifests {
				if Digest(d).Validate() != nil {
					t.Fatalf("descriptor %+v", d)
				}
			}
		}
	})
}
