package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
)

// imageFilter tells whether an image is kept.
type imageFilter func(*Image) (bool, error)

// filterTerm is one --filter: KEY=VALUE or KEY!=VALUE.
type filterTerm struct {
	key, value string
	not        bool
}

type filterTerms []filterTerm

// parseImageFilters reads filters and checks what can be checked without
// looking at images.
func parseImageFilters(texts []string) (filterTerms, error) {
	terms := make(filterTerms, 0, len(texts))
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		key, not := strings.CutSuffix(key, "!")
		known := slices.Contains([]string{"after", "before", "containers", "dangling", "digest", "id", "intermediate", "label", "manifest", "readonly", "reference", "since", "until"}, key)
		if !ok || !known {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid image filter %q: must be in the format \"filter=value or filter!=value\"", key)
		}
		terms = append(terms, filterTerm{key, value, not})
	}
	return terms, nil
}

// asksForIntermediate tells whether intermediate images are wanted by a
// filter.
func (terms filterTerms) asksForIntermediate() bool {
	return slices.ContainsFunc(terms, func(f filterTerm) bool { return f.key == "intermediate" || f.key == "dangling" })
}

// compile makes a filter of each key. Several values of a key are
// alternatives, but for labels, ages and negated ones: all of those hold.
func (terms filterTerms) compile(e *Engine, t *imageTree) ([]imageFilter, error) {
	var all []imageFilter
	alternatives := map[string][]imageFilter{}
	for _, term := range terms {
		f, err := term.compile(e, t)
		switch {
		case err != nil:
			return nil, err
		case term.not:
			all = append(all, func(img *Image) (bool, error) { ok, err := f(img); return !ok, err })
		case slices.Contains([]string{"label", "since", "after", "before", "until"}, term.key):
			all = append(all, f)
		default:
			alternatives[term.key] = append(alternatives[term.key], f)
		}
	}
	for _, fs := range alternatives {
		all = append(all, anyFilter(fs))
	}
	return all, nil
}

func anyFilter(fs []imageFilter) imageFilter {
	return func(img *Image) (bool, error) {
		for _, f := range fs {
			if ok, err := f(img); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
}

// plain makes a filter of a test that can't fail.
func plain(test func(*Image) bool) imageFilter {
	return func(img *Image) (bool, error) { return test(img), nil }
}

func (f filterTerm) compile(e *Engine, t *imageTree) (imageFilter, error) {
	switch f.key {
	case "id":
		want := strings.TrimPrefix(f.value, "sha256:")
		return plain(func(img *Image) bool { return strings.HasPrefix(img.ID, want) }), nil
	case "reference":
		return plain(func(img *Image) bool { return matchReference(f.value, &img.Image) }), nil
	case "label":
		return f.label(), nil
	case "digest":
		if !strings.HasPrefix(f.value, "sha256:") {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid value %q for digest filter", f.value)
		}
		return plain(func(img *Image) bool { return hasDigest(&img.Image, f.value) }), nil
	case "before", "since", "after":
		return f.relative(e)
	case "until":
		limit, err := parseUntil(f.value)
		return plain(func(img *Image) bool { return img.Created.Before(limit) }), err
	case "containers":
		return f.containers(e, t)
	}
	want, err := strconv.ParseBool(f.value)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "non-boolean value %q for %s filter: %w", f.value, f.key, err)
	}
	return func(img *Image) (bool, error) {
		is, err := t.is(f.key, img)
		return is == want, err
	}, nil
}

// is tells whether the image has the yes-or-no quality.
func (t *imageTree) is(quality string, img *Image) (bool, error) {
	switch quality {
	case "readonly":
		return img.ReadOnly, nil
	case "manifest":
		return img.List, nil
	}
	if len(img.Names) > 0 {
		return false, nil
	}
	child, err := t.child(img.ID)
	return (child == "") == (quality == "dangling"), err
}

func (f filterTerm) label() imageFilter {
	key, value, hasValue := strings.Cut(f.value, "=")
	return func(img *Image) (bool, error) {
		labels, err := img.Labels()
		have, ok := labels[key]
		return ok && (!hasValue || have == value), err
	}
}

// relative keeps what was made before or after another image.
func (f filterTerm) relative(e *Engine) (imageFilter, error) {
	other, err := e.LookupImage(f.value)
	if err != nil {
		return nil, fmt.Errorf("could not find local image for filter %q=%q: %w", f.key, f.value, err)
	}
	if f.key == "before" {
		return plain(func(img *Image) bool { return img.Created.Before(other.Created) }), nil
	}
	return plain(func(img *Image) bool { return img.Created.After(other.Created) }), nil
}

// containers keeps images that containers use, that none uses, or that
// containers of other tools use.
func (f filterTerm) containers(e *Engine, t *imageTree) (imageFilter, error) {
	if f.value == "external" {
		return func(img *Image) (bool, error) {
			users, err := t.users()
			return slices.ContainsFunc(users[img.ID], e.isExternal), err
		}, nil
	}
	want, err := strconv.ParseBool(f.value)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "unsupported value %q for containers filter", f.value)
	}
	return func(img *Image) (bool, error) {
		users, err := t.users()
		return len(users[img.ID]) > 0 == want, err
	}, nil
}

// isExternal tells that the container is another tool's.
func (e *Engine) isExternal(id string) bool {
	c, err := e.Store.Container(id)
	if err != nil {
		return false
	}
	_, ours := summary(c)
	return !ours
}

func hasDigest(img *store.Image, prefix string) bool {
	if strings.HasPrefix(img.Digest.String(), prefix) {
		return true
	}
	for _, d := range img.Digests {
		if strings.HasPrefix(d.String(), prefix) {
			return true
		}
	}
	return false
}

// parseUntil reads a point in time or how long ago it was.
func parseUntil(s string) (time.Time, error) {
	at, err := ParseTime(s)
	if err != nil {
		return at, errdef.Newf(errdef.ErrInvalid, "failed to parse value as time or duration: %q", s)
	}
	return at, nil
}

// matchReference tells whether one of the image's names matches the pattern.
func matchReference(pattern string, img *store.Image) bool {
	return slices.ContainsFunc(slices.Concat(img.Names, repoDigests(img)), func(name string) bool { return ref.Matches(name, pattern) })
}
