package build

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/store"
)

// load reads the Containerfile and the ignore file and plans the stages.
func (r *Request) load() (*dockerfile.Plan, *fscopy.Ignore, error) {
	name, text, err := r.readFiles()
	if err != nil {
		return nil, nil, err
	}
	plan, err := r.plan(name, text)
	if err != nil {
		return nil, nil, explain(err, name, text, nil)
	}
	ignore, err := r.readIgnore(name)
	return plan, ignore, err
}

// plan reads the text of the Containerfile.
func (r *Request) plan(name string, text []byte) (*dockerfile.Plan, error) {
	file, err := dockerfile.Parse(name, text)
	if err != nil {
		return nil, err
	}
	r.addLabelStep(file)
	plan, err := file.Plan(dockerfile.PlanOptions{
		Args: r.Args, Platform: r.platformArgs(), Target: r.Target, From: r.From,
		Contexts: slices.Sorted(maps.Keys(r.Contexts)), KeepAll: r.KeepUnused,
	})
	if err != nil {
		return nil, err
	}
	return plan, r.checkSteps(plan)
}

// checkSteps refuses a plan with a step that asks for more than is allowed.
func (r *Request) checkSteps(plan *dockerfile.Plan) error {
	for _, stage := range plan.Stages {
		for i := range stage.Steps {
			run, ok := stage.Steps[i].Inst.(*dockerfile.Run)
			if !ok {
				continue
			}
			if err := r.Run.checkStep(run); err != nil {
				return stepFailed(&stage.Steps[i], err)
			}
		}
	}
	return nil
}

func (r *Request) readFiles() (string, []byte, error) {
	files := r.Files
	if len(files) == 0 {
		found, err := FindFile(r.Context)
		if err != nil {
			return "", nil, err
		}
		files = []string{found}
	}
	var text []byte
	for _, file := range files {
		if file == "-" {
			text = append(text, r.ReadContainer...)
			continue
		}
		data, err := readLimited(file)
		if err == nil && strings.HasSuffix(file, ".in") {
			data, err = r.preprocess(file, data)
		}
		if err != nil {
			return "", nil, err
		}
		text = append(append(text, data...), '\n')
	}
	return files[0], text, nil
}

// preprocess runs the C preprocessor on a Containerfile.
func (r *Request) preprocess(file string, data []byte) ([]byte, error) {
	var out, complaint bytes.Buffer
	args := append([]string{"-E", "-iquote", filepath.Dir(file), "-traditional", "-undef", "-P"}, r.CPPFlags...)
	cmd := exec.Command("cpp", append(args, "-")...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &out, &complaint
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errdef.Newf(errdef.ErrUnsupported, "%s must be preprocessed by the program cpp, which is not installed", file)
	}
	if err != nil {
		return nil, fmt.Errorf("preprocess %q: %w: %s", file, err, strings.TrimSpace(complaint.String()))
	}
	return out.Bytes(), nil
}

// FindFile finds the Containerfile of a context directory.
func FindFile(dir string) (string, error) {
	var err error
	for _, name := range []string{"Containerfile", "Dockerfile"} {
		file := filepath.Join(dir, name)
		if _, err = os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", errdef.As(errdef.ErrNotFound, fmt.Errorf("cannot find Containerfile or Dockerfile in context directory: %w", err))
}

func readLimited(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, errdef.As(errdef.ErrNotFound, err)
	}
	if info.Size() > dockerfile.MaxSize {
		return nil, errdef.Newf(errdef.ErrInvalid, "read %q: larger than %d bytes", file, dockerfile.MaxSize)
	}
	return os.ReadFile(file)
}

// readIgnore reads the ignore file: the one asked for, the Containerfile's
// own, or the context's.
func (r *Request) readIgnore(containerfile string) (*fscopy.Ignore, error) {
	names := []string{r.IgnoreFile}
	if r.IgnoreFile == "" {
		names = []string{
			containerfile + ".containerignore", containerfile + ".dockerignore",
			filepath.Join(r.Context, ".containerignore"), filepath.Join(r.Context, ".dockerignore"),
		}
	}
	for _, name := range names {
		data, err := readLimited(name)
		if errors.Is(err, fs.ErrNotExist) && r.IgnoreFile == "" {
			continue
		}
		if err != nil {
			var pathErr *fs.PathError
			if errors.As(err, &pathErr) {
				pathErr.Op = "open"
			}
			return nil, err
		}
		return fscopy.ParseIgnore(name, string(data))
	}
	return nil, nil
}

// addLabelStep makes labels asked for outside of the Containerfile its last step.
func (r *Request) addLabelStep(file *dockerfile.File) {
	if len(r.Labels) == 0 {
		return
	}
	label := &dockerfile.Label{}
	original := "LABEL"
	for _, l := range r.Labels {
		// Quoted for the expansion that every step's words go through.
		label.Pairs = append(label.Pairs, dockerfile.Pair{Name: singleQuote(l.Key), Value: singleQuote(l.Value)})
		original += fmt.Sprintf(" %q=%q", l.Key, l.Value)
	}
	target, err := file.Target(r.Target)
	if err != nil {
		return // Plan says so
	}
	stage := file.Stages[target]
	stage.Steps = append(stage.Steps, dockerfile.Step{Original: original, Inst: label})
}

func singleQuote(s string) string {
	quoted := "'"
	for _, r := range s {
		if r == '\'' {
			quoted += `'"'"'`
			continue
		}
		quoted += string(r)
	}
	return quoted + "'"
}

// TagNames makes full names of what the user calls the image: a name without a
// registry is localhost's.
func TagNames(tags []string) ([]string, error) {
	var names []string
	for _, tag := range tags {
		name, err := ref.Parse(tag)
		if err != nil {
			return nil, errdef.Newf(errdef.ErrInvalid, "tag %s: invalid reference format: %s", tag, nameError(err))
		}
		if name.IsShort() {
			name.Domain = "localhost"
		}
		full := name.Tagged().String()
		if !slices.Contains(names, full) {
			names = append(names, full)
		}
	}
	return names, nil
}

// NameError is what is wrong with an image's name.
func NameError(name string) string {
	_, err := ref.Parse(name)
	if err == nil {
		return "it is no name of an image"
	}
	return nameError(err)
}

// nameError is what is wrong with a name, without saying that it is one.
func nameError(err error) string {
	return strings.TrimPrefix(err.Error(), "invalid reference format: ")
}

// predefinedArg tells whether RUN gets the argument without an ARG for it.
func predefinedArg(name string) bool {
	switch name {
	case "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy",
		"NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy":
		return true
	}
	return false
}

// MatchName finds the image's full name that the user's name stands for.
func MatchName(image store.Image, name string) (string, error) {
	n, err := ref.Parse(name)
	if err != nil {
		return "", err
	}
	full := n.Tagged().String()
	for _, candidate := range image.Names {
		if candidate == full || strings.HasSuffix(candidate, "/"+full) {
			return candidate, nil
		}
	}
	return "", errdef.Newf(errdef.ErrNotFound, "%s: image not known", name)
}
