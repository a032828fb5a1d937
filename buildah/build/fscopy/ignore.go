package fscopy

import (
	"fmt"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Ignore tells which paths of a context are left out. A nil Ignore leaves out
// nothing.
type Ignore struct {
	patterns []string
	matcher  *patternmatcher.PatternMatcher
	name     string
}

// ParseIgnore reads the text of an ignore file, called name in messages.
func ParseIgnore(name, text string) (*Ignore, error) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read ignore file %q: %w", name, err)
	}
	return NewIgnore(name, patterns)
}

// NewIgnore makes an Ignore of patterns; those that begin with "!" bring back
// what others before them left out.
func NewIgnore(name string, patterns []string) (*Ignore, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "parse ignore file %q: %w", name, err)
	}
	return &Ignore{patterns, matcher, name}, nil
}

// state is what is known of a directory when its entries are matched.
type state = patternmatcher.MatchInfo

// match tells whether the path is left out; parent comes from the directory
// above it.
func (i *Ignore) match(path string, parent state) (bool, state, error) {
	if i == nil || path == "" {
		return false, state{}, nil
	}
	return i.matcher.MatchesUsingParentResults(path, parent)
}

// Ignored tells whether a path is left out, by itself or with a directory above it.
func (i *Ignore) Ignored(path string) bool {
	if i == nil {
		return false
	}
	ignored, err := i.matcher.MatchesOrParentMatches(path)
	return err == nil && ignored
}

// prunes tells whether a directory that is left out can be passed over whole.
func (i *Ignore) prunes() bool { return !i.matcher.Exclusions() }
