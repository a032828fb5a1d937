package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/store"
)

// stage is a stage on its way. Once it is built only its image, or the root of
// its working container, is of use to others.
type stage struct {
	b       *builder
	planned *dockerfile.PlannedStage
	last    bool
	expand  dockerfile.Expander

	doc         *imageDoc
	layers      []store.Layer // bottom first
	annotations map[string]string
	base        baseImage
	steps       []dockerfile.Step

	args      dockerfile.Vars // declared so far
	over      map[string]bool // arguments declared after the variable of their name
	container string          // working container, "" while there is none
	root      string          // where it is mounted
	imageID   string          // image of the state so far, "" when none stands for it
	missed    bool            // a step wasn't in the cache, so those after it can't be
	history   int             // entries that are not in an image of their own yet
	dirty     bool            // the working container changed
	named     bool            // the final image has its names already
	cmdSet    bool            // CMD was among the steps
	sourcing  sync.Mutex
	building  sync.Once
	done      atomic.Bool    // building is over
	err       error          // of building
	commented bool           // the history says what the stage is from
	trailing  []spec.History // lines of the history that come after the image's own
	kept      bool           // the working container is the user's and stays
	shown     *shownStep     // under way; nil for a user's own step
}

func newStage(b *builder, planned *dockerfile.PlannedStage, last bool) *stage {
	return &stage{
		b: b, planned: planned, last: last, args: dockerfile.Vars{}, over: map[string]bool{},
		expand: dockerfile.Expander{Escape: b.plan.File.Escape}, missed: b.req.NoCache,
	}
}

// show begins a step of the display; number 0 is what is no step of the file.
func (s *stage) show(number, total int, text string) {
	st := &shownStep{out: s.b.out, event: stepEvent{Kind: "step", Step: number, Steps: total, Text: text}, tells: true}
	if s.b.plan.Total > 1 {
		st.event.Stage, st.event.Stages = s.planned.Index+1, s.b.plan.Total
		st.event.Name = s.planned.Name
		st.tells = len(s.b.plan.Stages) == 1
	}
	if s.b.req.several {
		st.event.Platform, st.tells = platformText(s.b.req.target()), false
	}
	s.shown = st
	st.begin()
}

// outputs is where a step's command writes to.
func (s *stage) outputs() (stdout, stderr io.Writer) {
	if s.shown == nil {
		return s.b.out.stdout, s.b.req.Stderr
	}
	return s.shown.writers()
}

// build goes through the stage's steps.
func (s *stage) build(ctx context.Context) error {
	if err := s.from(ctx); err != nil {
		return err
	}
	total := len(s.steps) + 1
	name := s.planned.Image
	if s.planned.Parent >= 0 {
		name = s.base.id
	}
	if s.planned.Name != "" {
		name += " AS " + s.planned.Name
	}
	s.show(1, total, "FROM "+name)
	s.shown.end(nil)
	for i := range s.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		step := &s.steps[i]
		s.show(i+2, total, step.Text())
		err := s.step(ctx, step, i == len(s.steps)-1)
		s.shown.end(err)
		if err != nil {
			return explain(stepFailed(step, err), s.b.plan.File.Name, s.b.plan.File.Text, s.shown)
		}
	}
	if s.last {
		s.show(0, 0, strings.TrimSpace("COMMIT "+strings.Join(s.b.req.Tags[:min(1, len(s.b.req.Tags))], "")))
	}
	err := s.finish(ctx)
	if s.last {
		s.shown.end(err)
	}
	return err
}

// stepFailed says which step it was; errors about names of stages and images
// say that themselves.
func stepFailed(step *dockerfile.Step, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var whole *wholeError
	if errors.As(err, &whole) {
		return err
	}
	failed := &dockerfile.StepError{Step: step.Original, First: step.Line, Last: step.Last, Err: err}
	if code := errdef.ExitCode(err, 0); code != 0 {
		return &errdef.Exit{Code: code, Err: failed}
	}
	return failed
}

// wholeError is an error that needs no step before it.
type wholeError struct{ error }

func (e *wholeError) Unwrap() error { return e.error }

// step runs one step, or takes its image from the cache.
func (s *stage) step(ctx context.Context, step *dockerfile.Step, last bool) error {
	action, err := s.prepare(ctx, step)
	if err != nil {
		return err
	}
	if !s.b.req.Layers {
		if err := action.run(ctx); err != nil {
			return err
		}
		s.addHistory(action.created())
		s.dirty = s.dirty || action.wrote
		return nil
	}
	key := ""
	if !s.missed {
		inputs, err := action.inputs(ctx)
		if err != nil {
			return err
		}
		key = s.key(step, inputs)
	}
	hit, err := s.fromCache(ctx, key, action)
	if err != nil {
		return err
	}
	if !hit {
		s.missed = true
		if err := s.keep(ctx, step, action, key, last); err != nil {
			return err
		}
	}
	if !last {
		s.sayImage("--> %s", s.imageID[:12])
	}
	return nil
}

// keep does a step and makes an image of it, which the cache can find again.
func (s *stage) keep(ctx context.Context, step *dockerfile.Step, action *action, key string, last bool) error {
	if err := action.run(ctx); err != nil {
		return err
	}
	if key == "" {
		// Only now are all digests known; the files were read once.
		inputs, err := action.inputs(ctx)
		if err != nil {
			return err
		}
		key = s.key(step, inputs)
	}
	s.addHistory(action.created())
	s.dirty = action.wrote
	var names []string
	if last && !s.b.req.Bill.inImage() {
		names = s.finalNames()
		s.named = true
	}
	if err := s.commit(ctx, names); err != nil {
		return err
	}
	if err := s.b.cache.put(key, s.imageID); err != nil {
		return err
	}
	return s.b.share(ctx, key, s.imageID)
}

func (s *stage) key(step *dockerfile.Step, inputs []string) string {
	parts := []string{s.imageID, s.doc.platform(), s.b.req.format(), step.Original, fmt.Sprint(s.b.req.LayerLabels, s.b.req.DropLabels, s.b.req.DropAnnotations, s.b.req.Timestamp, s.b.req.SourceDate, s.b.req.ClampTimes, s.b.req.NoHistory, s.b.req.NoIdentity, s.b.req.NoCreated)}
	for _, doc := range step.Heredocs() {
		parts = append(parts, doc.Content)
	}
	return cacheKey(append(parts, inputs...)...)
}

// fromCache moves on to the image that the key stands for, if there is one.
func (s *stage) fromCache(ctx context.Context, key string, action *action) (bool, error) {
	if s.missed || s.b.req.NoCache {
		return false, nil
	}
	image, ok := s.b.cache.find(key)
	if ok && tooOld(image, s.b.req.CacheTTL) {
		return false, nil
	}
	if !ok {
		var err error
		if image, ok, err = s.b.remotely(ctx, key); !ok || err != nil {
			return false, err
		}
	}
	data, err := s.b.st.ImageConfig(image.ID)
	if err != nil {
		return false, nil
	}
	doc, err := parseImageDoc(data)
	if err != nil {
		return false, nil
	}
	layers, err := s.b.st.LayerChain(image.TopLayer)
	if err != nil {
		return false, nil
	}
	if err := action.config(); err != nil {
		return false, err
	}
	// The OCI format doesn't keep these, but the steps to come need them.
	old := s.doc.Config
	doc.Config.Shell, doc.Config.Healthcheck, doc.Config.OnBuild = old.Shell, old.Healthcheck, old.OnBuild
	s.doc, s.layers, s.imageID = doc, layers, image.ID
	if err := s.drop(); err != nil {
		return false, err
	}
	if s.shown != nil {
		s.shown.cached = true
	}
	s.sayImage("--> Using cache %s", image.ID)
	return true, s.b.share(ctx, key, s.imageID)
}

// finish commits the stage if an image of it is wanted.
func (s *stage) finish(ctx context.Context) error {
	if err := s.finishBill(ctx); err != nil {
		return err
	}
	if s.imageID == "" || s.history > 0 || s.last && s.b.req.changesImage() {
		if !s.planned.Committed {
			return nil
		}
		if s.squashes() {
			if err := s.ensure(); err != nil {
				return err
			}
			s.dirty = true
		}
		if err := s.commit(ctx, s.finalNames()); err != nil {
			return err
		}
	} else if names := s.finalNames(); len(names) > 0 && !s.named {
		image, err := s.b.st.Image(s.imageID)
		if err == nil {
			err = s.b.name(image, names)
		}
		if err != nil {
			return err
		}
	}
	if s.last || !s.b.req.Layers {
		s.warnFormat()
	}
	s.sayImage("--> %s", s.imageID[:12])
	return nil
}

// finishBill makes the bill of materials. Its files go into the layer that the
// commit makes anyway, or into one of their own.
func (s *stage) finishBill(ctx context.Context) error {
	if !s.last || s.b.req.Bill == nil {
		return nil
	}
	if err := s.ensure(); err != nil {
		return err
	}
	if err := s.bill(ctx); err != nil {
		return err
	}
	if s.b.req.Bill.inImage() {
		if !s.dirty {
			s.addHistory(nop("ADD bill of materials in /"))
		}
		s.dirty = true
	}
	return nil
}

// sayImage prints without the stage's prefix, as the lines about images are.
func (s *stage) sayImage(format string, args ...any) { s.b.out.log(format, args...) }

func (s *stage) finalNames() []string {
	if s.last {
		return s.b.names
	}
	return nil
}

// changesImage tells whether the request itself changes the last stage's image.
func (r *Request) changesImage() bool {
	return r.Bill.inImage() || r.SquashAll || r.OSVersion != "" || len(r.OSFeatures) > 0 || r.DropLabels || r.DropAnnotations || len(r.Annotations) > 0 || len(r.Env) > 0 || len(r.Unset.Env)+len(r.Unset.Labels)+len(r.Unset.Annotations) > 0
}

// ensure makes sure that there is a working container.
func (s *stage) ensure() error {
	if s.container != "" {
		return nil
	}
	image, top := s.imageID, ""
	if image == "" {
		image = s.base.id
		if n := len(s.layers); n > 0 {
			top = s.layers[n-1].ID
		}
	}
	var err error
	s.container, s.root, err = s.b.shop.create(image, top)
	return err
}

// drop removes the working container.
func (s *stage) drop() error {
	if s.container == "" || s.kept {
		return nil
	}
	s.b.forgetTree(s.root)
	err := s.b.shop.remove(s.container)
	s.container, s.root = "", ""
	return err
}

// vars is what $name means in a step: of a variable and an argument, the later one.
func (s *stage) vars() dockerfile.Vars {
	vars := dockerfile.Vars{}
	for name, value := range s.args {
		vars[name] = value
	}
	for _, kv := range s.doc.Config.Env {
		name, value := cutEnv(kv)
		if !s.over[name] {
			vars[name] = value
		}
	}
	return vars
}

// argList is "NAME=value" of the arguments that RUN sees, sorted.
func (s *stage) argList() []string {
	env := map[string]bool{}
	for _, kv := range s.doc.Config.Env {
		name, _ := cutEnv(kv)
		env[name] = true
	}
	var list []string
	for name, value := range s.args {
		if !env[name] || s.over[name] {
			list = append(list, name+"="+value)
		}
	}
	sort.Strings(list)
	return slices.Clip(list)
}
