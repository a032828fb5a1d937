package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// testCase is one archive: what it is about in the first line, then lines of
// "key: value", then the files of the context.
//
//	setup: a line of shell that is run in the context before the build
//	args: further arguments of both builds; ours: and docker: of one of them
//	context: the context directory, below the archive's root; "." without it
//	fails: both must refuse it, ours with a text that the regular expression matches
//	differs: REGEXP, the differences that docs/differences.md explains
type testCase struct {
	name, about  string
	setup        []string
	args         string
	ours, docker string
	context      string
	fails        *regexp.Regexp
	differs      []*regexp.Regexp
	files        []txtar.File
}

func readCase(name, file string) (testCase, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return testCase{}, err
	}
	archive := txtar.Parse(data)
	c := testCase{name: name, context: ".", files: archive.Files}
	for i, line := range strings.Split(strings.TrimSpace(string(archive.Comment)), "\n") {
		if i == 0 {
			c.about = line
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch {
		case !ok:
			return c, fmt.Errorf("line %d is not KEY: VALUE: %q", i+1, line)
		case key == "setup":
			c.setup = append(c.setup, value)
		case key == "args":
			c.args = value
		case key == "ours":
			c.ours = value
		case key == "docker":
			c.docker = value
		case key == "context":
			c.context = value
		case key == "fails":
			c.fails, err = regexp.Compile(value)
		case key == "differs":
			var differs *regexp.Regexp
			differs, err = regexp.Compile(value)
			c.differs = append(c.differs, differs)
		default:
			return c, fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// unpack writes the files of the case.
func (c *testCase) unpack(dir string) error {
	for _, f := range c.files {
		if !filepath.IsLocal(f.Name) {
			return fmt.Errorf("%s: file %q is not below the archive", c.name, f.Name)
		}
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// outcome is what came of one build.
type outcome struct {
	broken string // why nothing can be said of the builder
	failed bool
	text   string // all that was printed
	image  *image
}

type result struct{ ours, docker outcome }

// judge says what is wrong with the case, if anything.
func (c *testCase) judge(r *result) []string {
	if broken := cmp.Or(r.ours.broken, r.docker.broken); broken != "" {
		return []string{"not compared: " + broken}
	}
	lines := c.compare(r)
	for _, known := range c.differs {
		before := len(lines)
		if lines = slices.DeleteFunc(lines, known.MatchString); len(lines) == before {
			lines = append(lines, fmt.Sprintf("the known difference %q is none any more", known))
		}
	}
	return lines
}

func (c *testCase) compare(r *result) []string {
	mine, theirs := lastLines(r.ours.text), lastLines(r.docker.text)
	switch {
	case r.ours.failed && !r.docker.failed:
		return []string{"only ours fails: " + mine}
	case !r.ours.failed && r.docker.failed:
		return []string{"only docker fails: " + theirs}
	case r.ours.failed && c.fails == nil:
		return []string{"fails: " + mine, "docker: " + theirs}
	case r.ours.failed && !c.fails.MatchString(r.ours.text):
		return []string{fmt.Sprintf("ours fails with another text than %q: %s", c.fails, mine), "docker: " + theirs}
	case r.ours.failed:
		return nil
	case c.fails != nil:
		return []string{"both build it, though it should fail"}
	case r.ours.image == nil || r.docker.image == nil:
		return []string{"an image is missing: " + mine, "docker: " + theirs}
	}
	return r.ours.image.differences(r.docker.image)
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "\n        ")
}
