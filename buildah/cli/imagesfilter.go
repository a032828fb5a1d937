package cli

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	spec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/podsuite/podsuite/shared/config"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/imgcopy"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
)

// imageFilter keeps the images for which all conditions hold; several
// references and IDs are alternatives.
type imageFilter struct {
	st           *store.Store
	all          []func(store.Image) (bool, error)
	any          map[string][]func(store.Image) (bool, error)
	parents      map[string]bool // top layers that others lie on, once they are asked for
	intermediate bool            // images of single steps are asked for
}

func newImageFilter(st *store.Store, cfg *config.Config, texts []string) (*imageFilter, error) {
	f := &imageFilter{st: st, any: map[string][]func(store.Image) (bool, error){}}
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, errdef.Newf(errdef.ErrInvalid, "invalid filter %q: it must be KEY=VALUE", text)
		}
		if err := f.add(cfg, key, value); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *imageFilter) add(cfg *config.Config, key, value string) error {
	switch key {
	case "before", "since", "after":
		other, err := imgcopy.ResolveLocal(f.st, cfg, value)
		if err != nil {
			return err
		}
		f.all = append(f.all, func(i store.Image) (bool, error) {
			return key == "before" && i.Created.Before(other.Created) || key != "before" && i.Created.After(other.Created), nil
		})
	case "label":
		f.all = append(f.all, func(i store.Image) (bool, error) { return f.labelled(i, value) })
	case "id":
		f.any[key] = append(f.any[key], func(i store.Image) (bool, error) {
			return strings.HasPrefix(i.ID, strings.TrimPrefix(value, "sha256:")), nil
		})
	case "reference":
		f.any[key] = append(f.any[key], func(i store.Image) (bool, error) {
			return slices.ContainsFunc(i.Names, func(name string) bool { return ref.Matches(name, value) }), nil
		})
	case "dangling", "intermediate", "readonly":
		want, err := strconv.ParseBool(value)
		if err != nil {
			return errdef.Newf(errdef.ErrInvalid, "non-boolean value %q for %s filter", value, key)
		}
		f.intermediate = f.intermediate || key != "readonly"
		f.all = append(f.all, func(i store.Image) (bool, error) {
			is, err := f.is(key, i)
			return is == want, err
		})
	default:
		return errdef.Newf(errdef.ErrInvalid, "unsupported image filter %q: choose from after, before, dangling, id, intermediate, label, readonly, reference and since", key)
	}
	return nil
}

func (f *imageFilter) keep(images []store.Image) ([]store.Image, error) {
	var kept []store.Image
	for _, image := range images {
		ok, err := f.matches(image)
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, image)
		}
	}
	return kept, nil
}

func (f *imageFilter) matches(image store.Image) (bool, error) {
	for _, test := range f.all {
		if ok, err := test(image); !ok || err != nil {
			return false, err
		}
	}
	for _, tests := range f.any {
		one := false
		for _, test := range tests {
			ok, err := test(image)
			if err != nil {
				return false, err
			}
			one = one || ok
		}
		if !one {
			return false, nil
		}
	}
	return true, nil
}

func (f *imageFilter) labelled(image store.Image, text string) (bool, error) {
	if image.List {
		return false, nil
	}
	data, err := f.st.ImageConfig(image.ID)
	if err != nil {
		return false, err
	}
	var doc spec.Image
	if err := json.Unmarshal(data, &doc); err != nil {
		return false, err
	}
	key, value, hasValue := strings.Cut(text, "=")
	have, ok := doc.Config.Labels[key]
	return ok && (!hasValue || have == value), nil
}

// is tells whether the image has the yes-or-no quality: dangling images have no
// name, and nothing is made of them; intermediate ones have none, and something is.
func (f *imageFilter) is(quality string, image store.Image) (bool, error) {
	if quality == "readonly" {
		return image.ReadOnly, nil
	}
	if len(image.Names) > 0 {
		return false, nil
	}
	if f.parents == nil {
		f.parents = map[string]bool{}
		images, err := f.st.Images()
		if err != nil {
			return false, err
		}
		for _, other := range images {
			chain, err := f.st.LayerChain(other.TopLayer)
			if err != nil || len(chain) == 0 {
				continue
			}
			for _, layer := range chain[:len(chain)-1] {
				f.parents[layer.ID] = true
			}
		}
	}
	return f.parents[image.TopLayer] == (quality == "intermediate"), nil
}
