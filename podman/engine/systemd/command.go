package systemd

import (
	"slices"
	"strings"
)

// Option is an option of a command line.
type Option struct {
	Words []string // as they were written
	Names []string // in the long form; several where letters stood together
}

// Command is a command line of podman's in its parts.
type Command struct {
	Global  []string // the words before the command
	Verb    string   // run, create or pod create
	Options []Option
	Rest    []string
}

// Has says whether the option was given.
func (c *Command) Has(name string) bool {
	return slices.ContainsFunc(c.Options, func(o Option) bool { return slices.Contains(o.Names, name) })
}

// Value is what an option that stands alone was given, the last time.
func (c *Command) Value(name string) string {
	for _, o := range slices.Backward(c.Options) {
		if len(o.Names) != 1 || o.Names[0] != name {
			continue
		}
		if _, value, ok := strings.Cut(o.Words[0], "="); ok {
			return value
		}
		return o.Words[len(o.Words)-1]
	}
	return ""
}

// Drop takes away the options that stand alone.
func (c *Command) Drop(names ...string) {
	c.Options = slices.DeleteFunc(slices.Clone(c.Options), func(o Option) bool { return len(o.Names) == 1 && slices.Contains(names, o.Names[0]) })
}

// Words are the options' words.
func (c *Command) Words() (all []string) {
	for _, o := range c.Options {
		all = append(all, o.Words...)
	}
	return all
}
