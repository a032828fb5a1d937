package hookdir

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
)

// hookFile is a file of a hooks directory, as of version 1.0.0.
type hookFile struct {
	Version string     `json:"version"`
	Hook    specs.Hook `json:"hook"`
	When    hookWhen   `json:"when"`
	Stages  []string   `json:"stages"`
}

// hookWhen are the conditions of a hook. All that are given have to hold.
type hookWhen struct {
	Always        *bool             `json:"always"`
	Annotations   map[string]string `json:"annotations"` // patterns of keys and values
	Commands      []string          `json:"commands"`    // patterns of the command
	HasBindMounts *bool             `json:"hasBindMounts"`
}

// Add gives a container the hooks of the directories whose conditions hold for
// it, in the order of their files' names. A file takes the place of one of the
// same name in an earlier directory; a directory may be missing. binds tells
// whether the user asked for a mount from the host.
func Add(ctx context.Context, spec *specs.Spec, dirs []string, binds bool) error {
	files := map[string]string{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read hooks: %w", err)
		}
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), ".json") {
				files[entry.Name()] = filepath.Join(dir, entry.Name())
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(files), func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	for _, name := range names {
		h, err := readHook(files[name])
		if err == nil && h.When.hold(spec, binds) {
			err = addHook(ctx, spec, h)
		}
		if err != nil {
			return fmt.Errorf("setting up OCI Hooks: %s: %w", files[name], err)
		}
	}
	return nil
}

func readHook(path string) (*hookFile, error) {
	const limit = 1 << 20
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errdef.Newf(errdef.ErrInvalid, "not a regular file")
	case info.Size() > limit:
		return nil, errdef.Newf(errdef.ErrInvalid, "larger than %d bytes", limit)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	h := new(hookFile)
	if err := json.Unmarshal(data, h); err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "%w", err)
	}
	switch {
	case h.Version != "1.0.0":
		return nil, errdef.Newf(errdef.ErrUnsupported, "unrecognized hook version %q: want 1.0.0", h.Version)
	case !filepath.IsAbs(h.Hook.Path):
		return nil, errdef.Newf(errdef.ErrInvalid, "the hook's path %q is not absolute", h.Hook.Path)
	case h.When.Always == nil && len(h.When.Annotations) == 0 && len(h.When.Commands) == 0 && h.When.HasBindMounts == nil:
		return nil, errdef.Newf(errdef.ErrInvalid, "the hook has no condition")
	case len(h.Stages) == 0:
		return nil, errdef.Newf(errdef.ErrInvalid, "the hook has no stage")
	case h.Hook.Timeout != nil && *h.Hook.Timeout <= 0:
		return nil, errdef.Newf(errdef.ErrInvalid, "the hook's timeout %d is not positive", *h.Hook.Timeout)
	}
	return h, h.When.compile()
}

// compile says which pattern is none.
func (w *hookWhen) compile() error {
	for _, text := range slices.Concat(w.Commands, slices.Collect(maps.Keys(w.Annotations)), slices.Collect(maps.Values(w.Annotations))) {
		if _, err := regexp.Compile(text); err != nil {
			return errdef.Newf(errdef.ErrInvalid, "%w", err)
		}
	}
	return nil
}

func (w *hookWhen) hold(spec *specs.Spec, binds bool) bool {
	if w.Always != nil && !*w.Always {
		return false
	}
	for key, value := range w.Annotations {
		found := false
		for k, v := range spec.Annotations {
			found = found || matches(key, k) && matches(value, v)
		}
		if !found {
			return false
		}
	}
	if len(w.Commands) > 0 && !slices.ContainsFunc(w.Commands, func(pattern string) bool { return matches(pattern, spec.Process.Args[0]) }) {
		return false
	}
	return w.HasBindMounts == nil || *w.HasBindMounts == binds
}

func matches(pattern, text string) bool {
	ok, _ := regexp.MatchString(pattern, text)
	return ok
}

// addHook puts the hook to its stages. One of stage precreate is run now: it
// gets the specification and answers with what is to be in its place.
func addHook(ctx context.Context, spec *specs.Spec, h *hookFile) error {
	for _, stage := range h.Stages {
		if stage == "precreate" {
			if err := precreate(ctx, spec, &h.Hook); err != nil {
				return err
			}
			continue
		}
		if err := runtime.AddHook(spec, stage, h.Hook); err != nil {
			return err
		}
	}
	return nil
}

func precreate(ctx context.Context, spec *specs.Spec, h *specs.Hook) error {
	data, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := runtime.RunHook(ctx, h, "", data, &out, os.Stderr); err != nil {
		return fmt.Errorf("run precreate hook %s: %w", h.Path, err)
	}
	if len(bytes.TrimSpace(out.Bytes())) == 0 {
		return nil
	}
	changed := new(specs.Spec)
	if err := json.Unmarshal(out.Bytes(), changed); err != nil {
		return errdef.Newf(errdef.ErrInvalid, "read what precreate hook %s answers: %w", h.Path, err)
	}
	if changed.Root == nil || changed.Linux == nil || changed.Process == nil || len(changed.Process.Args) == 0 {
		return errdef.Newf(errdef.ErrInvalid, "read what precreate hook %s answers: it lacks the root, linux or process of a specification", h.Path)
	}
	*spec = *changed
	return nil
}
