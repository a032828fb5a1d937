package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	ociruntime "github.com/podsuite/podsuite/shared/runtime"
	"github.com/podsuite/podsuite/shared/store"
)

// Build makes an image and returns its ID. When it fails, or ctx ends, nothing
// of it stays but finished images of single steps, if the request asks for
// those. A RUN that fails gives an errdef.Exit with its status.
func Build(ctx context.Context, st *store.Store, cfg *config.Config, rt ociruntime.Runtime, req Request) (id string, err error) {
	if err := req.check(); err != nil {
		return "", err
	}
	out := req.out
	if out == nil {
		out = newOutput(&req)
		defer out.close()
	}
	defer func() { out.explain(err) }()
	names, err := TagNames(req.Tags)
	if err != nil {
		return "", err
	}
	plan, ignore, err := req.load()
	if err != nil {
		return "", err
	}
	if err := req.refuseSuspicious(st, cfg, plan.File); err != nil {
		return "", err
	}
	if err := Heal(ctx, st, cfg, rt); err != nil {
		return "", fmt.Errorf("clean up after an interrupted build: %w", err)
	}
	shop, err := openWorkshop(st, rt)
	if err != nil {
		return "", fmt.Errorf("start build: %w", err)
	}
	b := &builder{
		st: st, cfg: cfg, rt: rt, req: &req, plan: plan, shop: shop, cache: openCache(st), out: out,
		names: names, stages: map[int]*stage{}, usedArgs: map[string]bool{}, trees: map[string]*fscopy.Tree{},
		memory: fscopy.OpenMemory(memoryFile(st, req.Context)),
		ignore: ignore, remote: remoteCache{from: req.CacheFrom, to: req.CacheTo},
	}
	defer func() {
		closeErr := b.close()
		if err == nil && closeErr != nil {
			err = fmt.Errorf("clean up build: %w", closeErr)
		}
	}()
	if err := b.run(ctx); err != nil {
		return "", err
	}
	return b.finish()
}

// builder is one build.
type builder struct {
	st     *store.Store
	cfg    *config.Config
	rt     ociruntime.Runtime
	req    *Request
	plan   *dockerfile.Plan
	shop   *workshop
	cache  *stepCache
	remote remoteCache
	out    *output
	names  []string // of the final image, normalized

	direct bool // the work is a user's own, step by step: they name working containers, too

	ignore *fscopy.Ignore
	memory *fscopy.Memory

	mu       sync.Mutex
	stages   map[int]*stage
	trees    map[string]*fscopy.Tree // opened contexts and roots, by directory
	retired  []*fscopy.Tree
	fetches  []string // directories of what was fetched
	usedArgs map[string]bool

	fetching sync.Mutex
	contexts map[string]string // fetched ones: URL → directory
	removals []func()          // of those
}

func (b *builder) close() error {
	for _, remove := range b.removals {
		remove()
	}
	for _, tree := range append(slices.Collect(maps.Values(b.trees)), b.retired...) {
		tree.Close()
	}
	for _, dir := range b.fetches {
		_ = os.RemoveAll(dir) // a temporary file more is no reason to fail
	}
	// The memory saves time only: that it can't be written is no reason to fail.
	_ = b.memory.Save()
	return b.shop.close()
}

// run goes through the stages, those that don't need each other at the same time.
func (b *builder) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for i, planned := range b.plan.Stages {
		b.stages[planned.Index] = newStage(b, planned, i == len(b.plan.Stages)-1)
	}
	for _, planned := range b.plan.Stages {
		group.Go(func() error {
			_, err := b.built(ctx, planned.Index)
			return err
		})
	}
	return group.Wait()
}

// built gives a stage once it is built. What builds it is whoever asks first;
// that may be a step which only the base image knew of (ONBUILD).
func (b *builder) built(ctx context.Context, index int) (*stage, error) {
	b.mu.Lock()
	s := b.stages[index]
	if s == nil {
		s = newStage(b, b.plan.All[index], false)
		b.stages[index] = s
	}
	b.mu.Unlock()
	s.building.Do(func() {
		defer s.done.Store(true)
		for _, n := range s.planned.Needs {
			if _, s.err = b.built(ctx, n); s.err != nil {
				return
			}
		}
		if s.err = ctx.Err(); s.err != nil {
			return
		}
		if b.req.slots != nil {
			b.req.slots <- struct{}{}
			defer func() { <-b.req.slots }()
		}
		s.err = s.build(ctx)
	})
	return s, s.err
}

// await is built for a step of another stage, which doesn't count as one that
// works meanwhile.
func (b *builder) await(ctx context.Context, index int) (*stage, error) {
	b.mu.Lock()
	s := b.stages[index]
	b.mu.Unlock()
	if b.req.slots != nil && (s == nil || !s.done.Load()) {
		<-b.req.slots
		defer func() { b.req.slots <- struct{}{} }()
	}
	return b.built(ctx, index)
}

// finish reports and returns the final image.
func (b *builder) finish() (string, error) {
	last := b.stages[b.plan.Stages[len(b.plan.Stages)-1].Index]
	if unused := b.unusedArgs(); len(unused) > 0 {
		b.out.line("[Warning] one or more build args were not consumed: [%s]", strings.Join(unused, " "))
	}
	b.sayChecked()
	for i := range b.names {
		b.out.line("Successfully tagged %s", b.names[len(b.names)-1-i])
	}
	return last.imageID, nil
}

func (b *builder) useArg(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.usedArgs[name] = true
}

func (b *builder) unusedArgs() []string {
	for _, arg := range b.plan.File.Args {
		for _, v := range arg.Values {
			b.usedArgs[v.Name] = true
		}
	}
	var unused []string
	for _, name := range slices.Sorted(maps.Keys(b.req.Args)) {
		if !b.usedArgs[name] && !predefinedArg(name) && name != dockerfile.CheckArg {
			unused = append(unused, name)
		}
	}
	return unused
}

// tree opens a directory to copy from, once per build.
func (b *builder) tree(dir string, ignore *fscopy.Ignore) (*fscopy.Tree, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.trees[dir]; t != nil && t.Ignore == ignore {
		return t, nil
	}
	t, err := fscopy.OpenTree(dir, ignore)
	if err != nil {
		return nil, err
	}
	if old := b.trees[dir]; old != nil {
		b.retired = append(b.retired, old) // somebody may still read it
	}
	b.trees[dir] = t
	return t, nil
}

// retire closes a tree at the end of the build.
func (b *builder) retire(t *fscopy.Tree) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retired = append(b.retired, t)
}

// fetchDir makes a directory that is there until the end of the build.
func (b *builder) fetchDir() (string, error) {
	dir, err := remoteDir()
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fetches = append(b.fetches, dir)
	return dir, nil
}

func (b *builder) forgetTree(dir string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.trees[dir]; t != nil {
		t.Close()
		delete(b.trees, dir)
	}
}

func (r *Request) check() error {
	switch r.format() {
	case FormatOCI, FormatDocker:
	default:
		return errdef.Newf(errdef.ErrInvalid, "unrecognized image type %q", r.Format)
	}
	if err := r.Run.check(); err != nil {
		return err
	}
	switch r.Pull {
	case "", PullMissing, PullAlways, PullNever, PullNewer:
	default:
		return errdef.Newf(errdef.ErrInvalid, "unrecognized pull policy %q", r.Pull)
	}
	if r.Stdout == nil {
		r.Stdout = io.Discard
	}
	if r.Stderr == nil {
		r.Stderr = io.Discard
	}
	for id, ssh := range r.SSH {
		if err := ssh.check(); err != nil {
			return fmt.Errorf("ssh agent %q: %w", id, err)
		}
	}
	for _, secret := range r.Secrets {
		if secret.File == "" {
			continue
		}
		if _, err := os.Stat(secret.File); err != nil {
			return errdef.As(errdef.ErrNotFound, fmt.Errorf("creating build executor: could not parse secrets: %w", lastError(err, "faccessat "+secret.File)))
		}
	}
	return nil
}

// lastError keeps the bottom of a path error and says what it is about.
func lastError(err error, what string) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return fmt.Errorf("%s: %w", what, pathErr.Err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
