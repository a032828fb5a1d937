package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/podsuite/podsuite/shared/auth"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/ref"
	"github.com/podsuite/podsuite/shared/registry"
	"github.com/podsuite/podsuite/shared/transport"
)

// maxYAMLSize bounds a list of images, in bytes; its aliases may not make more
// of it, the parser sees to that.
const maxYAMLSize = 4 << 20

// parallelLists is how many registries are asked for tags at a time.
const parallelLists = 8

// registryEntry is what a list in YAML says of one registry. Keys keep the
// order they have in the file.
type registryEntry struct {
	host        string
	images      []yamlImages
	Credentials struct {
		Username string `yaml:"username"`
		Password string `yaml:"password"`
	} `yaml:"credentials"`
	TLSVerify *bool  `yaml:"tls-verify"`
	CertDir   string `yaml:"cert-dir"`
}

// yamlImages are the images of one repository: those listed, or those whose
// tag is wanted.
type yamlImages struct {
	repository string
	list       []string
	wanted     func(tag string) bool // nil: the list, or all tags if it is empty
}

// List is what a file in YAML comes to.
type List struct {
	Sources  []Source
	Problems []error  // what is wrong with single repositories; the rest is good
	Notes    []string // what is odd
}

// FromYAML reads a list of images.
func FromYAML(ctx context.Context, path string, o transport.Options) (*List, error) {
	list := &List{}
	entries, err := list.read(path)
	if err != nil {
		return nil, err
	}
	type asked struct {
		source   Source
		problems []error
	}
	var answers []*asked
	var g errgroup.Group
	g.SetLimit(parallelLists)
	for _, e := range entries {
		options := e.options(o)
		if len(e.images) == 0 {
			list.note("No images specified for registry %s", e.host)
		}
		for _, i := range e.images {
			a := &asked{}
			answers = append(answers, a)
			g.Go(func() error {
				a.source.Options = options
				a.source.Images, a.problems = i.find(ctx, e.host, options)
				return nil
			})
		}
	}
	g.Wait() //nolint:errcheck // the errors are with the answers
	for _, a := range answers {
		list.Problems = append(list.Problems, a.problems...)
		if len(a.source.Images) > 0 {
			list.Sources = append(list.Sources, a.source)
		}
	}
	return list, ctx.Err()
}

func (list *List) note(format string, args ...any) {
	list.Notes = append(list.Notes, fmt.Sprintf(format, args...))
}

// options are those of the command line with what the entry says beside them.
func (e *registryEntry) options(o transport.Options) transport.Options {
	if e.TLSVerify != nil {
		o.Registry.TLSVerify = e.TLSVerify
	}
	if e.CertDir != "" {
		o.Registry.CertDir = e.CertDir
	}
	if c := e.Credentials; c.Username != "" {
		o.Registry.Credentials = &auth.Credentials{Username: c.Username, Password: c.Password}
	}
	o.Registry.Pool = &registry.Pool{}
	return o
}

// find gives the images, and what is wrong with those that cannot be named.
func (i yamlImages) find(ctx context.Context, host string, o transport.Options) (images []ref.Location, problems []error) {
	l, err := location(host + "/" + i.repository)
	if err == nil && (l.Name.Tag != "" || l.Name.Digest != "") {
		err = errdef.Newf(errdef.ErrInvalid, "the repository %q of registry %s cannot have a tag or digest here: give it in the list below", i.repository, host)
	}
	if err != nil {
		return nil, []error{err}
	}
	wanted := i.wanted
	if wanted == nil && len(i.list) == 0 {
		wanted = func(string) bool { return true }
	}
	if wanted != nil {
		images, err := tagged(ctx, l.Name, o, wanted)
		if err == nil && len(images) == 0 {
			err = errdef.Newf(errdef.ErrNotFound, "No refs to sync found in %s", l.Name)
		}
		if err != nil {
			problems = append(problems, err)
		}
		return images, problems
	}
	for _, r := range i.list {
		one, err := location(l.Name.String() + ":" + r)
		if err != nil {
			one, err = location(l.Name.String() + "@" + r)
		}
		if err != nil {
			problems = append(problems, errdef.Newf(errdef.ErrInvalid, "%q of %s is neither a tag nor a digest", r, l.Name))
			continue
		}
		images = append(images, one)
	}
	return images, problems
}

func (list *List) read(path string) (entries []*registryEntry, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxYAMLSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxYAMLSize {
		return nil, errdef.Newf(errdef.ErrInvalid, "%q is larger than %d bytes", path, maxYAMLSize)
	}
	var doc yaml.Node
	err = yaml.Unmarshal(data, &doc)
	if err == nil && len(doc.Content) > 0 {
		err = eachKey(doc.Content[0], func(key string, value *yaml.Node) error {
			e := &registryEntry{host: key}
			entries = append(entries, e)
			return list.decode(e, value)
		})
	}
	if err != nil {
		oneLine := strings.Join(strings.Fields(err.Error()), " ")
		return nil, errdef.Newf(errdef.ErrInvalid, "Failed to unmarshal %q: %s", path, oneLine)
	}
	return entries, nil
}

// eachKey walks through a mapping in the file's order.
func eachKey(n *yaml.Node, visit func(key string, value *yaml.Node) error) error {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("yaml: line %d: want keys with values", n.Line)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if err := visit(n.Content[i].Value, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// decode reads the entry of one registry.
func (list *List) decode(e *registryEntry, n *yaml.Node) error {
	if err := n.Decode(e); err != nil {
		return err
	}
	return eachKey(n, func(key string, value *yaml.Node) error {
		read := plainList
		switch key {
		case "images":
		case "images-by-tag-regex":
			read = byRegex
		case "images-by-semver":
			read = bySemver
		case "credentials", "tls-verify", "cert-dir":
			return nil
		default:
			list.note("unknown key %q for registry %s (line %d)", key, e.host, value.Line)
			return nil
		}
		return eachKey(value, func(repository string, value *yaml.Node) error {
			i, err := read(value)
			if i.repository = repository; err == nil {
				e.images = append(e.images, i)
			} else if errors.Is(err, errdef.ErrInvalid) {
				list.Problems = append(list.Problems, errdef.Newf(errdef.ErrInvalid, "%s/%s: %w", e.host, repository, err))
				err = nil
			}
			return err
		})
	})
}

func plainList(n *yaml.Node) (i yamlImages, err error) {
	return i, n.Decode(&i.list)
}

func byRegex(n *yaml.Node) (i yamlImages, err error) {
	var text string
	if err := n.Decode(&text); err != nil {
		return i, err
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return i, errdef.As(errdef.ErrInvalid, err)
	}
	i.wanted = re.MatchString
	return i, nil
}

func bySemver(n *yaml.Node) (i yamlImages, err error) {
	var text string
	if err := n.Decode(&text); err != nil {
		return i, err
	}
	c, err := semver.NewConstraint(text)
	if err != nil {
		return i, errdef.As(errdef.ErrInvalid, err)
	}
	i.wanted = func(tag string) bool {
		v, err := semver.NewVersion(tag)
		return err == nil && c.Check(v)
	}
	return i, nil
}
