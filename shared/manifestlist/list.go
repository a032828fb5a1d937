package manifestlist

import (
	"encoding/json"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
	"github.com/podsuite/podsuite/shared/transport"
)

// list is a list of images of the store. Changes are made within update.
type list struct {
	ID    string
	Index v1.IndexManifest

	st        *store.Store
	places    map[digest.Digest]string // references of where the images lie
	artifacts artifacts
	had       []digest.Digest // the images that the list had when it was read
}

// create makes a list under the name, which is a full one. A taken name is a
// *store.ConflictError.
func create(st *store.Store, name string, annotations map[string]string, entries []entry) (string, error) {
	l := &list{st: st, places: map[digest.Digest]string{}}
	l.Index.Annotations = annotations
	for _, e := range entries {
		l.add(e)
	}
	docs, err := l.docs()
	if err != nil {
		return "", err
	}
	img, err := st.CreateList([]string{name}, docs)
	return img.ID, err
}

// open reads the list with the ID.
func open(st *store.Store, id string) (*list, error) {
	docs, err := st.List(id)
	if err != nil {
		return nil, err
	}
	l := &list{ID: id, st: st, places: map[digest.Digest]string{}}
	index, err := transport.ParseIndex(docs.Manifest)
	if err != nil {
		return nil, err
	}
	l.Index = *index
	if err := json.Unmarshal(docs.Instances, &l.places); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "read where the images of list %s are: %w", id, err)
	}
	delete(l.places, "") // the reference tools note the list's own ID
	if len(docs.Artifacts) > 0 {
		if err := json.Unmarshal(docs.Artifacts, &l.artifacts); err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "read the artifacts of list %s: %w", id, err)
		}
	}
	l.had = l.digests()
	return l, nil
}

// update changes the list with the ID; nobody else changes it meanwhile.
func update(st *store.Store, id string, change func(*list) error) error {
	unlock, err := st.LockList(id)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := open(st, id)
	if err != nil {
		return err
	}
	if err := change(l); err != nil {
		return err
	}
	docs, err := l.docs()
	if err != nil {
		return err
	}
	return st.SetList(id, docs)
}

// docs are the documents of the list as the store keeps them. What the list
// had when it was read stays in those beside the manifest, so that they fit
// whichever manifest is there when a process is killed.
func (l *list) docs() (store.ListDocs, error) {
	keep := append(l.digests(), l.had...)
	maps.DeleteFunc(l.places, func(d digest.Digest, _ string) bool { return !slices.Contains(keep, d) })
	l.artifacts.keep(keep)
	l.Index.SchemaVersion, l.Index.MediaType = 2, types.OCIImageIndex
	if l.Index.Manifests == nil {
		l.Index.Manifests = []v1.Descriptor{}
	}
	places := maps.Clone(l.places)
	if l.ID != "" {
		places[""] = l.ID
	}
	var docs store.ListDocs
	for _, one := range []struct {
		from any
		to   *[]byte
	}{{l.Index, &docs.Manifest}, {places, &docs.Instances}, {l.artifacts, &docs.Artifacts}} {
		data, err := json.Marshal(one.from)
		if err != nil {
			return docs, err
		}
		*one.to = data
	}
	return docs, nil
}

func (l *list) digests() []digest.Digest {
	out := make([]digest.Digest, len(l.Index.Manifests))
	for i, d := range l.Index.Manifests {
		out[i] = transport.Digest(d)
	}
	return out
}

// entry is an image, or an artifact, of a list.
type entry struct {
	Descriptor v1.Descriptor
	place      string    // reference of where it lies
	artifact   *artifact // the content, if it is one made for the list
}

// digest is the digest of the entry's manifest.
func (e entry) digest() digest.Digest { return transport.Digest(e.Descriptor) }

// add adds an entry, or replaces the one with the same digest.
func (l *list) add(e entry) {
	d := e.digest()
	if i := slices.Index(l.digests(), d); i >= 0 {
		l.Index.Manifests[i] = e.Descriptor
	} else {
		l.Index.Manifests = append(l.Index.Manifests, e.Descriptor)
	}
	if e.artifact != nil {
		l.artifacts.add(d, e.artifact)
		return
	}
	l.places[d] = e.place
}

// remove takes the entry with the digest from the list.
func (l *list) remove(d digest.Digest) error {
	i := slices.Index(l.digests(), d)
	if i < 0 {
		return errdef.Newf(errdef.ErrNotFound, "no instance matching digest %q found in manifest list", d)
	}
	l.Index.Manifests = slices.Delete(l.Index.Manifests, i, i+1)
	return nil
}

// find gives the list's entry with the digest, to be changed.
func (l *list) find(d digest.Digest) (*v1.Descriptor, error) {
	i := slices.Index(l.digests(), d)
	if i < 0 {
		return nil, errdef.Newf(errdef.ErrNotFound, "no image with the digest %q in the list", d)
	}
	return &l.Index.Manifests[i], nil
}

// entry gives the entry with the digest together with its place or content.
func (l *list) entry(d v1.Descriptor) entry {
	e := entry{Descriptor: d, place: l.places[transport.Digest(d)]}
	if a, ok := l.artifacts.get(transport.Digest(d)); ok {
		e.artifact = a
	}
	return e
}

// Notes are what a list says of an image. Empty fields leave what is there.
type Notes struct {
	Arch, OS, OSVersion, Variant string
	Features, OSFeatures         []string
	Annotations                  map[string]string
}

// apply writes the notes on the descriptor.
func (n Notes) apply(d *v1.Descriptor) {
	p := v1.Platform{}
	if d.Platform != nil {
		p = *d.Platform
	}
	for _, f := range []struct {
		value string
		to    *string
	}{{n.Arch, &p.Architecture}, {n.OS, &p.OS}, {n.OSVersion, &p.OSVersion}, {n.Variant, &p.Variant}} {
		if f.value != "" {
			*f.to = f.value
		}
	}
	if len(n.Features) > 0 {
		p.Features = n.Features
	}
	if len(n.OSFeatures) > 0 {
		p.OSFeatures = n.OSFeatures
	}
	if d.Platform != nil || !p.Equals(v1.Platform{}) {
		d.Platform = &p
	}
	d.Annotations = merged(d.Annotations, n.Annotations)
}

func merged(have, more map[string]string) map[string]string {
	if len(more) == 0 {
		return have
	}
	out := maps.Clone(have)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}
