package dockerfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// PlanOptions is what a plan depends on beside the file.
type PlanOptions struct {
	Args     map[string]string // given for the build: win over ARG's defaults
	Platform map[string]string // TARGETPLATFORM, BUILDARCH …: known without ARG before the first FROM
	Target   string            // name or index of the last stage; empty = the last one of the file
	From     string            // replaces what the first FROM names, unless empty
	Contexts []string          // names of additional contexts, which hide stages and images of that name
	KeepAll  bool              // keep stages that the target does not need
}

// Plan is the part of a file's stages that a build has to go through.
type Plan struct {
	File   *File
	Args   Vars            // global arguments, expanded
	Stages []*PlannedStage // in the order of the file; the target is the last
	All    []*PlannedStage // with those that the target doesn't need, by index
	Total  int             // stages of the file up to the target
}

// PlannedStage is a stage with its names resolved.
type PlannedStage struct {
	*Stage
	Image     string // expanded name of the base image; empty when Parent is a stage
	Parent    int    // index of the stage it builds on, -1 for an image
	Platform  string // expanded
	Needs     []int  // indexes of the stages that must be done before this one, ascending
	Committed bool   // another stage builds on it, or it is the target: it becomes an image
}

// Plan resolves names and finds the stages that the target needs.
func (f *File) Plan(opts PlanOptions) (*Plan, error) {
	plan := &Plan{File: f}
	if err := plan.globals(opts); err != nil {
		return nil, err
	}
	target, err := f.Target(opts.Target)
	if err != nil {
		return nil, err
	}
	all := make([]*PlannedStage, target+1)
	for i := range all {
		if all[i], err = plan.resolve(f.Stages[i], opts); err != nil {
			return nil, err
		}
	}
	keep := needed(all, opts.KeepAll)
	all[target].Committed = true
	for i, stage := range all {
		if !keep[i] {
			continue
		}
		plan.Stages = append(plan.Stages, stage)
		if stage.Parent >= 0 {
			all[stage.Parent].Committed = true
		}
	}
	plan.All, plan.Total = all, target+1
	return plan, nil
}

func needed(all []*PlannedStage, every bool) []bool {
	keep := make([]bool, len(all))
	keep[len(all)-1] = true
	for i := len(all) - 1; i >= 0; i-- {
		if keep[i] = keep[i] || every; keep[i] {
			for _, n := range all[i].Needs {
				keep[n] = true
			}
		}
	}
	return keep
}

// globals expands the arguments before the first FROM.
func (p *Plan) globals(opts PlanOptions) error {
	p.Args = Vars{}
	expander := Expander{p.File.Escape}
	known := Vars{}
	for name, value := range opts.Platform {
		known[name] = value
	}
	for _, arg := range p.File.Args {
		for _, v := range arg.Values {
			value, given := opts.Args[v.Name]
			if !given {
				if v.Default == nil {
					if value, ok := known[v.Name]; ok {
						p.Args[v.Name] = value
					}
					continue
				}
				var err error
				if value, err = expander.Word(*v.Default, known); err != nil {
					return fmt.Errorf("expand ARG %s: %w", v.Name, err)
				}
			}
			p.Args[v.Name], known[v.Name] = value, value
		}
	}
	return nil
}

// Target finds the stage that a build stops at, by name or index; the last one
// for an empty name.
func (f *File) Target(name string) (int, error) {
	if name == "" {
		return len(f.Stages) - 1, nil
	}
	if i := f.stageNamed(name, len(f.Stages)); i >= 0 {
		return i, nil
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(f.Stages) {
		return i, nil
	}
	return 0, errdef.Newf(errdef.ErrNotFound, "the target %q was not found in the provided Dockerfile", name)
}

// stageNamed finds the last stage of that name before the one at limit.
func (f *File) stageNamed(name string, limit int) int {
	for i := limit - 1; i >= 0; i-- {
		if f.Stages[i].Name != "" && strings.EqualFold(f.Stages[i].Name, name) {
			return i
		}
	}
	return -1
}

// StageFor finds the stage that the name or index in a --from of stage number
// index means; -1 when it is none.
func (f *File) StageFor(name string, index int) int {
	if i := f.stageNamed(name, index); i >= 0 {
		return i
	}
	if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < index {
		return i
	}
	return -1
}

func (p *Plan) resolve(stage *Stage, opts PlanOptions) (*PlannedStage, error) {
	expander := Expander{p.File.Escape}
	vars := Vars{}
	for name, value := range opts.Platform {
		vars[name] = value
	}
	for name, value := range p.Args {
		vars[name] = value
	}
	base, err := expander.Word(stage.Base, vars)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "%s:%d: expand FROM %s: %w", p.File.Name, stage.Line, stage.Base, err)
	}
	if stage.Index == 0 && opts.From != "" {
		base = opts.From
	}
	if base == "" {
		return nil, errdef.Newf(errdef.ErrInvalid, "determining starting point for build: no FROM statement found")
	}
	platform, err := expander.Word(stage.Platform, vars)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "%s:%d: expand --platform: %w", p.File.Name, stage.Line, err)
	}
	planned := &PlannedStage{Stage: stage, Parent: -1, Image: base, Platform: platform}
	if !slices.Contains(opts.Contexts, base) {
		planned.Parent = p.File.stageNamed(base, stage.Index)
	}
	if planned.Parent >= 0 {
		planned.Image = ""
		planned.need(planned.Parent)
	}
	return planned, p.sources(planned, opts, vars, expander)
}

// sources notes the stages that a stage takes files from.
func (p *Plan) sources(stage *PlannedStage, opts PlanOptions, vars Vars, expander Expander) error {
	for _, step := range stage.Steps {
		for _, name := range step.from() {
			name, err := expander.Word(name, vars)
			if err != nil {
				return &StepError{step.Text(), step.Line, step.Last, err}
			}
			if slices.Contains(opts.Contexts, name) {
				continue
			}
			if i := p.File.StageFor(name, stage.Index); i >= 0 {
				stage.need(i)
			}
		}
	}
	return nil
}

func (s *PlannedStage) need(i int) {
	if at, found := slices.BinarySearch(s.Needs, i); !found {
		s.Needs = slices.Insert(s.Needs, at, i)
	}
}

// from lists what the step's --from options name.
func (s *Step) from() []string {
	var names []string
	switch inst := s.Inst.(type) {
	case *Copy:
		if inst.From != "" {
			names = append(names, inst.From)
		}
	case *Run:
		for _, m := range inst.Mounts {
			if m.From != "" {
				names = append(names, m.From)
			}
		}
	}
	return names
}
