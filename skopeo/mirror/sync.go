package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/podsuite/podsuite/shared/cliout"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
)

// What is known of an image.
const (
	Copying    = "copying"    // it differs and is on its way
	WouldCopy  = "would copy" // it differs, and nothing shall be written
	Unchanged  = "unchanged"  // the target has it
	CopyFailed = "failed"     // Err says why
)

// Step is one image of a run.
type Step struct {
	State    string
	From, To ref.Location
	Number   int // within its source, from 1
	Of       int // images of the source
	Err      error
}

// Options of a run.
type Options struct {
	Copy      imgcopy.Options // Source is each source's own
	KeepGoing bool            // go on after an image that failed
	DryRun    bool            // write nothing
	Digests   io.Writer       // nil, or gets a line with the digest and place of each image
	Report    func(Step)      // told of each image; called from several goroutines, one at a time
}

// Summary counts what a run did.
type Summary struct {
	Images    int // that the target has now, or would have
	Unchanged int // of them those that it had before
	Failed    int
}

// The number of images that are compared at a time, and of those copied.
const (
	parallelChecks = 16
	parallelCopies = 4
)

// Run brings the images of the sources to the target. Without KeepGoing the
// first error ends it.
func Run(ctx context.Context, sources []Source, t Target, o Options) (Summary, error) {
	jobs, err := plan(sources, t)
	if err != nil {
		return Summary{}, err
	}
	shown := o.Copy.Progress
	if shown == nil {
		shown = cliout.NewProgress(nil, "none")
	}
	defer shown.Done()
	o.Copy.Progress = lasting{shown}
	o.Copy.Destination.Registry.Pool = &registry.Pool{}
	defer o.Copy.Destination.Registry.Pool.Close()
	r := &runner{Options: o}
	r.compare(ctx, jobs)
	err = r.copyAll(ctx, r.tellKnown(jobs))
	return r.sum, errors.Join(err, r.writeDigests(jobs))
}

// lasting is a display that outlives the single copy.
type lasting struct{ cliout.Progress }

func (lasting) Done() {}

// job is one image on its way.
type job struct {
	source   *Source
	from, to ref.Location
	number   int

	unchanged bool
	digest    digest.Digest // of what the target has, once that is known
}

// plan names the place of every image before anything is done, so that a name
// that cannot be is an error at once. An image that two sources name is
// brought once; two images that would get the same name are an error.
func plan(sources []Source, t Target) ([]*job, error) {
	var jobs []*job
	taken := map[string]string{}
	for i := range sources {
		s := &sources[i]
		for n, l := range s.Images {
			to, err := t.Of(*s, l)
			if err != nil {
				return nil, err
			}
			switch other := taken[to.String()]; other {
			case "":
				taken[to.String()] = l.String()
				jobs = append(jobs, &job{source: s, from: l, to: to, number: n + 1})
			case l.String():
			default:
				return nil, errdef.Newf(errdef.ErrConflict, "%s and %s would both become %s: keep their names apart with --scoped", other, l, to)
			}
		}
	}
	return jobs, nil
}

type runner struct {
	Options

	mu  sync.Mutex
	sum Summary
}

// compare finds the images that the target has. What goes wrong here goes
// wrong again where the image is copied, and is reported there. When nobody
// answers, nobody is asked on.
func (r *runner) compare(ctx context.Context, jobs []*job) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelChecks)
	for _, j := range jobs {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := r.check(ctx, j); errors.Is(err, errdef.ErrUnavailable) {
				return err
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // see above
}

// tellKnown reports the images of which nothing is to be done, and gives the
// others.
func (r *runner) tellKnown(jobs []*job) (differ []*job) {
	for _, j := range jobs {
		switch {
		case j.unchanged:
			r.report(j, Unchanged, nil)
		case r.DryRun:
			r.report(j, WouldCopy, nil)
		default:
			differ = append(differ, j)
		}
	}
	return differ
}

// copyAll copies what differs. One image of each repository goes ahead: the
// others mostly share its layers, and find them there.
func (r *runner) copyAll(ctx context.Context, jobs []*job) error {
	var ahead, others []*job
	seen := map[string]bool{}
	for _, j := range jobs {
		if place := j.to.Name.Repository().String(); j.to.Transport != ref.Docker || !seen[place] {
			seen[place] = true
			ahead = append(ahead, j)
		} else {
			others = append(others, j)
		}
	}
	for _, some := range [][]*job{ahead, others} {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(parallelCopies)
		for _, j := range some {
			g.Go(func() error { return r.one(ctx, j) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// one brings one image and tells of it.
func (r *runner) one(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.report(j, Copying, nil)
	err := r.bring(ctx, j)
	switch {
	case err == nil:
		r.mu.Lock()
		r.sum.Images++
		r.mu.Unlock()
		return nil
	case ctx.Err() != nil:
		return err // the run ends for another reason
	case r.KeepGoing:
		r.report(j, CopyFailed, err)
		return nil
	}
	return fmt.Errorf("Error copying ref %q: %w", j.from, err)
}

// report counts and tells.
func (r *runner) report(j *job, state string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch state {
	case Unchanged:
		r.sum.Images++
		r.sum.Unchanged++
	case WouldCopy:
		r.sum.Images++
	case CopyFailed:
		r.sum.Failed++
	}
	if r.Report != nil {
		r.Report(Step{State: state, From: j.from, To: j.to, Number: j.number, Of: len(j.source.Images), Err: err})
	}
}

// bring copies the image.
func (r *runner) bring(ctx context.Context, j *job) error {
	o := r.Copy
	o.Source = j.source.Options
	if j.to.Transport == ref.Dir {
		return intoDir(ctx, j, o)
	}
	res, err := imgcopy.Copy(ctx, j.to, j.from, o)
	j.digest = res.Digest()
	return err
}

// writeDigests writes a line for each image that the target has now.
func (r *runner) writeDigests(jobs []*job) error {
	if r.Digests == nil || r.DryRun {
		return nil
	}
	for _, j := range jobs {
		if j.digest == "" {
			continue
		}
		if _, err := fmt.Fprintf(r.Digests, "%s %s\n", j.digest, j.to); err != nil {
			return fmt.Errorf("write digests: %w", err)
		}
	}
	return nil
}
