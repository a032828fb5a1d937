package build

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/errdef"
)

// CommitRequest says what image a working container becomes; the rest is in
// the request that it was opened with.
type CommitRequest struct {
	Names   []string // full names
	Changes []string // instructions of a Containerfile that change the configuration
	Config  []byte   // a configuration whose settings take the place of the container's
}

// Commit makes an image of the container and returns its ID.
func (w *Workplace) Commit(ctx context.Context, req CommitRequest) (string, error) {
	s := w.s
	if err := s.b.req.check(); err != nil {
		return "", err
	}
	if err := w.mount(); err != nil {
		return "", err
	}
	if err := w.override(req); err != nil {
		return "", err
	}
	s.dirty = true
	s.entries(w.doc.PrependedEmptyLayers)
	createdBy := w.doc.ImageCreatedBy
	if createdBy == "" {
		createdBy = "/bin/sh"
	}
	s.addHistory(createdBy)
	if n := len(s.doc.History); n > 0 && s.history > 0 && w.doc.ImageHistoryComment != "" {
		s.doc.History[n-1].Comment = w.doc.ImageHistoryComment
	}
	s.trailing = w.doc.AppendedEmptyLayers
	if s.b.req.Bill != nil {
		if err := s.bill(ctx); err != nil {
			return "", err
		}
	}
	if err := s.commit(ctx, req.Names); err != nil {
		return "", err
	}
	s.warnFormat()
	return s.imageID, s.b.st.Sync() // the container may go next
}

// entries adds lines that were noted before to the history.
func (s *stage) entries(noted []spec.History) {
	for _, entry := range noted {
		s.addHistory(entry.CreatedBy)
		if n := len(s.doc.History); n > 0 && s.history > 0 && s.b.req.fixedTime() == nil {
			s.doc.History[n-1].Created = entry.Created
		}
	}
}

// override puts the request's configuration and changes into the image's.
func (w *Workplace) override(req CommitRequest) error {
	if len(req.Config) > 0 {
		doc, err := parseImageDoc(req.Config)
		if err != nil {
			return err
		}
		w.s.doc.Config.overrideWith(&doc.Config)
	}
	for _, text := range req.Changes {
		step, err := dockerfile.ParseTrigger(text)
		if err != nil {
			return err
		}
		switch step.Inst.(type) {
		case *dockerfile.Run, *dockerfile.Copy, *dockerfile.Arg:
			return errdef.Newf(errdef.ErrInvalid, "change %q: only instructions that change the configuration can be given", text)
		}
		action, err := w.s.prepare(context.Background(), &step)
		if err != nil {
			return fmt.Errorf("change %q: %w", text, err)
		}
		if err := action.config(); err != nil {
			return fmt.Errorf("change %q: %w", text, err)
		}
	}
	return nil
}

// overrideWith takes over what o sets.
func (c *containerConfig) overrideWith(o *containerConfig) {
	for _, kv := range o.Env {
		c.Env = setEnv(c.Env, kv)
	}
	for key, value := range o.Labels {
		put(&c.Labels, key, value)
	}
	for port := range o.ExposedPorts {
		put(&c.ExposedPorts, port, struct{}{})
	}
	for volume := range o.Volumes {
		put(&c.Volumes, volume, struct{}{})
	}
	for _, text := range []struct {
		to   *string
		from string
	}{
		{&c.User, o.User}, {&c.WorkingDir, o.WorkingDir}, {&c.StopSignal, o.StopSignal},
		{&c.Hostname, o.Hostname}, {&c.Domainname, o.Domainname},
	} {
		if text.from != "" {
			*text.to = text.from
		}
	}
	for _, list := range []struct {
		to   *[]string
		from []string
	}{{&c.Cmd, o.Cmd}, {&c.Entrypoint, o.Entrypoint}, {&c.Shell, o.Shell}} {
		if list.from != nil {
			*list.to = list.from
		}
	}
	c.OnBuild = append(c.OnBuild, o.OnBuild...)
	if o.Healthcheck != nil {
		c.Healthcheck = o.Healthcheck
	}
}

// ConfigRequest is what one `buildah config` changes. A nil pointer changes nothing.
type ConfigRequest struct {
	Annotations, UnsetAnnotations []string // "name=value"
	Labels, UnsetLabels           []string
	Env                           []string // "name=value"; "name-" removes
	Ports, Volumes, OnBuild       []string // "thing-" removes, "-" removes all
	Author, User, WorkingDir      *string
	StopSignal, Hostname          *string
	Domainname, Comment           *string
	CreatedBy, HistoryComment     *string
	Arch, OS, Variant, OSVersion  *string
	OSFeatures                    []string
	Cmd, Entrypoint, Shell        *[]string
	Health                        HealthRequest
	AddHistory                    bool
}

// HealthRequest changes the health check.
type HealthRequest struct {
	Test                                          *[]string // empty removes it
	Interval, Timeout, StartPeriod, StartInterval *time.Duration
	Retries                                       *int
}

// Configure changes the configuration of the image to be.
func (w *Workplace) Configure(req ConfigRequest) error {
	c, d := &w.s.doc.Config, w.s.doc
	for _, text := range []struct {
		to   *string
		from *string
	}{
		{&d.Author, req.Author}, {&c.User, req.User}, {&c.WorkingDir, req.WorkingDir}, {&c.StopSignal, req.StopSignal},
		{&c.Hostname, req.Hostname}, {&c.Domainname, req.Domainname}, {&d.Comment, req.Comment},
		{&w.doc.ImageCreatedBy, req.CreatedBy}, {&w.doc.ImageHistoryComment, req.HistoryComment},
		{&d.Architecture, req.Arch}, {&d.OS, req.OS}, {&d.Variant, req.Variant}, {&d.OSVersion, req.OSVersion},
	} {
		if text.from != nil {
			*text.to = *text.from
		}
	}
	for _, list := range []struct {
		to   *[]string
		from *[]string
	}{{&c.Cmd, req.Cmd}, {&c.Entrypoint, req.Entrypoint}, {&c.Shell, req.Shell}} {
		if list.from != nil {
			*list.to = *list.from
		}
	}
	d.OSFeatures = changeList(d.OSFeatures, req.OSFeatures)
	c.OnBuild = changeList(c.OnBuild, req.OnBuild)
	changeSet(&c.ExposedPorts, req.Ports)
	changeSet(&c.Volumes, req.Volumes)
	changeMap(&c.Labels, req.Labels, req.UnsetLabels)
	changeMap(&w.doc.ImageAnnotations, req.Annotations, req.UnsetAnnotations)
	if err := w.changeEnv(req.Env); err != nil {
		return err
	}
	w.changeHealth(req.Health)
	w.s.warnFormat()
	if req.AddHistory {
		for _, line := range req.lines() {
			if err := w.note(nop(line)); err != nil {
				return err
			}
		}
	}
	return w.save()
}

// lines are the instructions that the change amounts to.
func (r *ConfigRequest) lines() []string {
	var lines []string
	add := func(keyword string, values []string) {
		for _, value := range values {
			lines = append(lines, keyword+" "+value)
		}
	}
	text := func(keyword string, value *string) {
		if value != nil {
			lines = append(lines, keyword+" "+*value)
		}
	}
	add("ENV", r.Env)
	add("EXPOSE", r.Ports)
	add("LABEL", r.Labels)
	add("VOLUME", r.Volumes)
	add("ONBUILD", r.OnBuild)
	text("MAINTAINER", r.Author)
	text("USER", r.User)
	text("WORKDIR", r.WorkingDir)
	text("STOPSIGNAL", r.StopSignal)
	for _, list := range []struct {
		keyword string
		args    *[]string
	}{{"CMD", r.Cmd}, {"ENTRYPOINT", r.Entrypoint}, {"SHELL", r.Shell}} {
		if list.args != nil {
			lines = append(lines, list.keyword+" "+strings.Join(*list.args, " "))
		}
	}
	return lines
}

// changeList appends the values; "-" first empties the list.
func changeList(list, values []string) []string {
	for _, value := range values {
		if value == "-" {
			list = nil
			continue
		}
		list = append(list, value)
	}
	return list
}

// changeSet adds "thing", removes "thing-" and, for "-", all.
func changeSet(set *map[string]struct{}, values []string) {
	for _, value := range values {
		if value == "-" {
			*set = nil
			continue
		}
		if name, ok := strings.CutSuffix(value, "-"); ok {
			delete(*set, name)
			continue
		}
		put(set, value, struct{}{})
	}
}

// changeMap sets "name=value", removes "name-" and, for "-", all.
func changeMap(m *map[string]string, set, unset []string) {
	for _, kv := range set {
		name, value, ok := strings.Cut(kv, "=")
		switch removed, minus := strings.CutSuffix(name, "-"); {
		case ok:
			put(m, name, value)
		case name == "-":
			*m = nil
		case minus:
			delete(*m, removed)
		default:
			put(m, name, "")
		}
	}
	for _, name := range unset {
		delete(*m, name)
	}
}

// changeEnv is changeMap for variables, whose order stays; they may refer to
// those before them.
func (w *Workplace) changeEnv(values []string) error {
	c := &w.s.doc.Config
	for _, kv := range values {
		name, value, ok := strings.Cut(kv, "=")
		switch removed, minus := strings.CutSuffix(name, "-"); {
		case ok:
			expanded, err := w.s.expand.Word(value, w.s.vars())
			if err != nil {
				return err
			}
			c.Env = setEnv(c.Env, name+"="+expanded)
		case name == "-":
			c.Env = nil
		case minus:
			c.Env = unsetEnv(c.Env, removed)
		default:
			return errdef.Newf(errdef.ErrInvalid, "setting env %q: must be NAME=VALUE, or NAME- to remove it", kv)
		}
	}
	return nil
}

func unsetEnv(env []string, name string) []string {
	var kept []string
	for _, kv := range env {
		if key, _ := cutEnv(kv); key != name {
			kept = append(kept, kv)
		}
	}
	return kept
}

func (w *Workplace) changeHealth(r HealthRequest) {
	c := &w.s.doc.Config
	if r.Test != nil {
		c.Healthcheck = nil
		if len(*r.Test) > 0 {
			c.Healthcheck = &healthConfig{Test: *r.Test, Interval: 30 * time.Second, Timeout: 30 * time.Second, Retries: 3}
		}
	}
	if c.Healthcheck == nil {
		return
	}
	for _, d := range []struct{ to, from *time.Duration }{
		{&c.Healthcheck.Interval, r.Interval}, {&c.Healthcheck.Timeout, r.Timeout},
		{&c.Healthcheck.StartPeriod, r.StartPeriod}, {&c.Healthcheck.StartInterval, r.StartInterval},
	} {
		if d.from != nil {
			*d.to = *d.from
		}
	}
	if r.Retries != nil {
		c.Healthcheck.Retries = *r.Retries
	}
}

// Remove removes the container.
func (w *Workplace) Remove() error {
	if w.mounted {
		w.s.b.forgetTree(w.s.root)
		w.mounted = false
	}
	return errors.Join(w.s.b.st.Unmount(w.ID, true), w.s.b.st.RemoveContainer(w.ID))
}
