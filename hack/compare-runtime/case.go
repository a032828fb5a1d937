package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// testCase is the options of one container, and what may differ.
type testCase struct {
	name, options string
	before        []string
	differs       []*regexp.Regexp // of "FIELD: [ours|reference] LINE"
}

// readCases reads the cases; what stands before the first holds for all.
func readCases(file string) ([]testCase, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var cases []testCase
	all := testCase{}
	current := &all
	for i, line := range strings.Split(string(data), "\n") {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		switch {
		case key == "" || strings.HasPrefix(key, "#"):
		case !ok:
			return nil, fmt.Errorf("%s: line %d is not KEY: VALUE", file, i+1)
		case key == "before":
			current.before = append(current.before, value)
		case key == "differs":
			known, err := regexp.Compile(value)
			if err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", file, i+1, err)
			}
			current.differs = append(current.differs, known)
		default:
			cases = append(cases, testCase{name: key, options: value, before: all.before, differs: all.differs})
			current = &cases[len(cases)-1]
			current.before, current.differs = slices.Clone(all.before), slices.Clone(all.differs)
		}
	}
	return cases, nil
}

// seen is what the probe said: lines by field. What went wrong is a field, too.
type seen map[string][]string

func (s seen) String() string {
	var b strings.Builder
	for _, field := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "== %s\n%s\n", field, strings.Join(s[field], "\n"))
	}
	return b.String()
}

// judge says what differs, beyond what is known.
func (c *testCase) judge(ours, theirs seen) []string {
	var lines []string
	if ours.failed() != theirs.failed() {
		ours, theirs = ours.ending(), theirs.ending()
	}
	fields := maps.Clone(ours)
	maps.Copy(fields, theirs)
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		for _, l := range without(ours[field], theirs[field]) {
			lines = append(lines, field+": ours      "+l)
		}
		for _, l := range without(theirs[field], ours[field]) {
			lines = append(lines, field+": reference "+l)
		}
	}
	return slices.DeleteFunc(lines, func(l string) bool {
		return slices.ContainsFunc(c.differs, func(r *regexp.Regexp) bool { return r.MatchString(l) })
	})
}

// failed says whether there was no container, so that nothing else matters.
func (s seen) failed() bool { return len(s["place"]) == 0 }

// ending is what tells why there was none.
func (s seen) ending() seen { return seen{"before": s["before"], "end": s["end"]} }

// without is a less what is in b, line by line.
func without(a, b []string) []string {
	left := map[string]int{}
	for _, l := range b {
		left[l]++
	}
	var only []string
	for _, l := range a {
		if left[l]--; left[l] < 0 {
			only = append(only, l)
		}
	}
	return only
}
