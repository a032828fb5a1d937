package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	ociruntime "github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

// Workplace is a working container that stays until it is removed, with what
// one command needs to work in it. It must be closed.
type Workplace struct {
	ID, Name string
	doc      *workDoc
	s        *stage
	mounted  bool
}

// WorkRequest says how a command works in a working container; fields that are
// empty are as the container was made.
type WorkRequest struct {
	Request
	Store   *store.Store
	Config  *config.Config
	Runtime ociruntime.Runtime // nil for commands that run nothing
}

func (r *WorkRequest) builder(shop *workshop) *builder {
	return &builder{
		st: r.Store, cfg: r.Config, rt: r.Runtime, req: &r.Request, shop: shop, cache: openCache(r.Store),
		plan: &dockerfile.Plan{File: &dockerfile.File{Escape: '\\'}}, out: newOutput(&r.Request),
		stages: map[int]*stage{}, usedArgs: map[string]bool{}, trees: map[string]*fscopy.Tree{},
		memory: fscopy.OpenMemory(memoryFile(r.Store, r.Context)), direct: true,
	}
}

// From makes a working container on an image, which is pulled as the request
// says, or on nothing ("scratch"). name may be empty.
func From(ctx context.Context, req WorkRequest, image, name string) (*Workplace, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	shop, err := openWorkshop(req.Store, req.Runtime)
	if err != nil {
		return nil, err
	}
	b := req.builder(shop)
	s := newStage(b, &dockerfile.PlannedStage{Stage: &dockerfile.Stage{Base: image}, Parent: -1, Image: image}, true)
	w := &Workplace{s: s}
	if err := s.fromImage(ctx, image); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if err := w.create(name); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// create records the container; a taken name that nobody asked for gets a
// number.
func (w *Workplace) create(name string) error {
	s, asked := w.s, name
	if asked == "" {
		name = workName(s.planned.Image)
	}
	for n := 1; ; n++ {
		w.Name = name
		if asked == "" && n > 1 {
			w.Name = name + "-" + strconv.Itoa(n-1)
		}
		c, err := s.b.st.CreateContainer(store.NewContainer{Names: []string{w.Name}, ImageID: s.imageID, Volatile: true})
		var taken *store.ConflictError
		if errors.As(err, &taken) {
			if asked == "" {
				continue
			}
			return errdef.Newf(errdef.ErrConflict, "creating container: the container name %q is already in use by %s. You have to remove that container to be able to reuse that name: that name is already in use", w.Name, taken.Owner)
		}
		if err != nil {
			return err
		}
		w.ID = c.ID
		break
	}
	err := w.describe()
	if err == nil {
		err = w.doc.write(s.b.st, w.ID)
	}
	if err != nil {
		return errors.Join(err, s.b.st.RemoveContainer(w.ID))
	}
	return nil
}

// workName is made of the image's name: "alpine-working-container".
func workName(image string) string {
	const suffix = "working-container"
	image = strings.TrimPrefix(image[strings.LastIndexByte(image, '/')+1:], "sha256:")
	if at := strings.IndexAny(image, ":@"); at >= 0 {
		image = image[:at]
	}
	if image == "scratch" || image == "" {
		return suffix
	}
	return image + "-" + suffix
}

// describe makes the file of a new container.
func (w *Workplace) describe() error {
	s := w.s
	d := &workDoc{
		Type: workType, FromImageID: s.base.id, FromImage: s.base.name, FromImageDigest: s.base.digest,
		Container: w.Name, ContainerID: w.ID, ImageAnnotations: s.inheritedAnnotations(),
		IDMappingOptions: json.RawMessage(hostIDs), Format: manifestType(s.b.req.format()),
		ContentDigester: json.RawMessage("{}"),
	}
	if s.imageID != "" {
		var err error
		if d.Config, err = s.b.st.ImageConfig(s.imageID); err != nil {
			return err
		}
		if d.Manifest, err = s.b.st.ImageManifest(s.imageID); err != nil {
			return err
		}
	}
	if n := len(s.layers); n > 0 {
		d.TopLayer = s.layers[n-1].ID
	}
	if s.doc.Created == nil {
		now := time.Now().UTC()
		s.doc.Created = &now
	}
	caps, err := s.b.req.Run.capabilities(s.b.cfg.Containers.DefaultCapabilities)
	if err != nil {
		return err
	}
	if caps == nil {
		caps = ociruntime.DefaultCapabilities()
	}
	d.setImage(s.doc)
	d.setRun(&s.b.req.Run, s.b.req.Network, caps, s.b.cfg.Rootless)
	w.doc = d
	return nil
}

func manifestType(format string) string {
	if format == FormatDocker {
		return dockerManifestType
	}
	return spec.MediaTypeImageManifest
}

// inheritedAnnotations are the base image's, and what tells of it.
func (s *stage) inheritedAnnotations() map[string]string {
	all := map[string]string{}
	for name, value := range s.annotations {
		all[name] = value
	}
	all[spec.AnnotationBaseImageDigest], all[spec.AnnotationBaseImageName] = s.base.digest, s.base.name
	return all
}

// Open opens a working container by name or ID.
func Open(req WorkRequest, name string) (*Workplace, error) {
	if req.Stdout == nil {
		req.Stdout = io.Discard
	}
	if req.Stderr == nil {
		req.Stderr = io.Discard
	}
	c, doc, err := openWork(req.Store, name)
	if err != nil {
		return nil, err
	}
	shop, err := openWorkshop(req.Store, req.Runtime)
	if err != nil {
		return nil, err
	}
	run, network := doc.run()
	run.CapAdd, run.CapDrop = doc.Capabilities, []string{"all"}
	if len(doc.Capabilities) == 0 {
		run.CapAdd = nil
	}
	if req.Format == "" && doc.Format == dockerManifestType {
		req.Format = FormatDocker
	}
	if req.Network == "" {
		req.Network = network
	}
	req.Run = merge(run, req.Run)
	b := req.builder(shop)
	s := newStage(b, &dockerfile.PlannedStage{Stage: &dockerfile.Stage{}, Parent: -1, Image: doc.FromImage}, true)
	s.doc, s.container, s.kept, s.annotations = doc.image(), c.ID, true, doc.ImageAnnotations
	s.base = baseImage{id: doc.FromImageID, name: doc.FromImage, digest: doc.FromImageDigest}
	if doc.TopLayer != "" {
		if s.layers, err = req.Store.LayerChain(doc.TopLayer); err != nil {
			return nil, errors.Join(err, shop.close())
		}
	}
	w := &Workplace{ID: c.ID, Name: doc.Container, doc: doc, s: s}
	if len(c.Names) > 0 {
		w.Name = c.Names[0]
	}
	return w, nil
}

func openWork(st *store.Store, name string) (store.Container, *workDoc, error) {
	c, err := st.Container(name)
	if err != nil {
		if errors.Is(err, errdef.ErrNotFound) {
			err = errdef.Newf(errdef.ErrNotFound, "container not known")
		}
		return c, nil, fmt.Errorf("reading build container %q: %w", name, err)
	}
	doc, err := readWork(st, c.ID)
	if err != nil {
		return c, nil, fmt.Errorf("reading build container %q: %w", name, err)
	}
	return c, doc, nil
}

// merge puts what one command asks for over what the container was made with.
func merge(made, asked RunOptions) RunOptions {
	if asked.Isolation != "" {
		made.Isolation = asked.Isolation
	}
	for kind, value := range asked.Namespaces {
		if value != "" {
			made.Namespaces[kind] = value
		}
	}
	if len(asked.CapAdd) > 0 || len(asked.CapDrop) > 0 {
		made.CapAdd = append(made.CapAdd, asked.CapAdd...)
		made.CapAdd = slices.DeleteFunc(made.CapAdd, func(name string) bool {
			return slices.ContainsFunc(asked.CapDrop, func(drop string) bool { return sameCapability(name, drop) })
		})
	}
	made.Volumes = append(made.Volumes, asked.Volumes...)
	made.Devices = append(made.Devices, asked.Devices...)
	made.NoHosts, made.NoHostname = made.NoHosts || asked.NoHosts, made.NoHostname || asked.NoHostname
	return made
}

func sameCapability(a, b string) bool {
	a, errA := ociruntime.ParseCapability(a)
	b, errB := ociruntime.ParseCapability(b)
	return errA == nil && errB == nil && (a == b || strings.EqualFold(b, "all"))
}

// mount mounts the container until Close.
func (w *Workplace) mount() error {
	if w.mounted {
		return nil
	}
	root, err := w.s.b.st.Mount(w.ID)
	if err != nil {
		return err
	}
	w.s.root, w.mounted = root, true
	return nil
}

// Close ends the work; the container stays.
func (w *Workplace) Close() error {
	var err error
	if w.mounted {
		w.s.b.forgetTree(w.s.root)
		err = w.s.b.st.Unmount(w.ID, false)
		w.mounted = false
	}
	return errors.Join(err, w.s.b.close())
}

// Run runs a command in the container.
func (w *Workplace) Run(ctx context.Context, req RunRequest) error {
	if err := w.s.b.req.Run.check(); err != nil {
		return err
	}
	if err := w.mount(); err != nil {
		return err
	}
	inst := &dockerfile.Run{Command: dockerfile.Command{Args: req.Args}}
	for _, text := range req.Mounts {
		m, err := dockerfile.ParseMount(text)
		if err != nil {
			return err
		}
		inst.Mounts = append(inst.Mounts, m)
	}
	c := &w.s.doc.Config
	before := *c
	if req.User != "" {
		c.User = req.User
	}
	if req.WorkingDir != "" {
		c.WorkingDir = path.Join("/", c.WorkingDir, req.WorkingDir)
	}
	c.Env = slices.Clone(c.Env)
	for _, kv := range req.Env {
		c.Env = setEnv(c.Env, kv)
	}
	if !slices.ContainsFunc(c.Env, func(kv string) bool { return strings.HasPrefix(kv, "PATH=") }) {
		c.Env = append(c.Env, ociruntime.DefaultPath)
	}
	r := &runStep{
		s: w.s, inst: inst, args: req.Args, network: w.s.b.networkOf(""), host: req.Hostname,
		stdin: req.Stdin, terminal: req.Terminal,
	}
	if r.host == "" {
		r.host = c.Hostname
	}
	err := r.do(ctx)
	*c = before
	if err == nil && req.AddHistory {
		err = w.note(strings.Join(req.Args, " "))
	}
	return err
}

// note adds a line to the history of the image to be.
func (w *Workplace) note(createdBy string) error {
	now := w.s.b.req.now()
	w.doc.PrependedEmptyLayers = append(w.doc.PrependedEmptyLayers, spec.History{Created: &now, CreatedBy: createdBy, EmptyLayer: true})
	return w.save()
}

// save writes the container's file.
func (w *Workplace) save() error {
	w.doc.setImage(w.s.doc)
	return w.doc.write(w.s.b.st, w.ID)
}

// Copy copies files into the container, and returns the digest of what they
// hold.
func (w *Workplace) Copy(ctx context.Context, req CopyRequest) (digest string, err error) {
	if err := w.mount(); err != nil {
		return "", err
	}
	if w.s.b.req.IgnoreFile != "" {
		if w.s.b.ignore, err = w.s.b.req.readIgnore(""); err != nil {
			return "", err
		}
	}
	c := &copyStep{s: w.s, inst: &req.Copy, from: req.From, dest: req.Dest}
	c.split(req.Sources)
	c.place()
	if err := c.do(ctx); err != nil {
		return "", fmt.Errorf("adding content to container %q: %w", w.Name, err)
	}
	if req.AddHistory {
		if err := w.note(nop(req.Keyword() + " " + c.digest)); err != nil {
			return "", err
		}
	}
	_, digest, _ = strings.Cut(c.digest, ":")
	return digest, nil
}

// RunRequest is one command to run in a working container.
type RunRequest struct {
	Args       []string
	User       string
	WorkingDir string
	Hostname   string
	Env        []string
	Mounts     []string // as RUN --mount takes them
	Stdin      *os.File
	Terminal   bool
	AddHistory bool
}

// CopyRequest is one copy into a working container.
type CopyRequest struct {
	dockerfile.Copy
	AddHistory bool
}
