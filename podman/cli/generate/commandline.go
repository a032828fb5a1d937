package generate

import (
	"strings"

	"github.com/podsuite/podsuite/podman/cli/app"
	"github.com/podsuite/podsuite/podman/cli/container"
	"github.com/podsuite/podsuite/podman/cli/pod"
	"github.com/podsuite/podsuite/podman/engine/systemd"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// splitCommand takes the command line apart by which a container or a pod was
// made. The commands themselves say which options take a value.
func splitCommand(line []string) (systemd.Command, error) {
	var c systemd.Command
	if len(line) == 0 {
		return c, errdef.Newf(errdef.ErrInvalid, "no create command is known")
	}
	a := new(app.App)
	root := new(cobra.Command)
	a.Flags(root.PersistentFlags())
	global, words := splitOptions(line[1:], root.PersistentFlags())
	for _, o := range global {
		c.Global = append(c.Global, o.Words...)
	}
	if len(words) > 1 && words[0] == "container" {
		words = words[1:]
	}
	var cmd *cobra.Command
	switch {
	case len(words) > 0 && words[0] == "run":
		cmd = container.NewRun(a)
	case len(words) > 0 && words[0] == "create":
		cmd = container.NewCreate(a)
	case len(words) > 1 && words[0] == "pod" && words[1] == "create":
		cmd, _, _ = pod.NewPod(a).Find([]string{"create"})
		c.Verb, words = "pod ", words[1:]
	default:
		return c, errdef.Newf(errdef.ErrInvalid, "%q is no command that can be repeated: choose run, create or pod create", strings.Join(line, " "))
	}
	c.Verb += words[0]
	root.AddCommand(cmd.Root())
	cmd.InheritedFlags() // which merges the global options into the command's
	c.Options, c.Rest = splitOptions(words[1:], cmd.Flags())
	// Only pods have their options behind the name, too.
	for c.Verb == "pod create" && len(c.Rest) > 1 {
		more, rest := splitOptions(c.Rest[1:], cmd.Flags())
		if len(more) == 0 {
			break
		}
		c.Options, c.Rest = append(c.Options, more...), append(c.Rest[:1:1], rest...)
	}
	return c, nil
}

// splitOptions takes the options at the beginning of the words.
func splitOptions(words []string, f *pflag.FlagSet) (options []systemd.Option, rest []string) {
	for len(words) > 0 {
		word := words[0]
		if word == "--" {
			return options, words[1:]
		}
		if len(word) < 2 || word[0] != '-' {
			break
		}
		names, takes := namesOf(word, f)
		n := 1
		if takes && len(words) > 1 {
			n = 2
		}
		options = append(options, systemd.Option{Words: words[:n], Names: names})
		words = words[n:]
	}
	return options, words
}

// namesOf finds the options of a word, and whether the next word is the value
// of the last.
func namesOf(word string, f *pflag.FlagSet) (names []string, takes bool) {
	if long, ok := strings.CutPrefix(word, "--"); ok {
		name, _, hasValue := strings.Cut(long, "=")
		flag := f.Lookup(name)
		return []string{name}, flag != nil && flag.NoOptDefVal == "" && !hasValue
	}
	for i, letter := range word[1:] {
		flag := f.ShorthandLookup(string(letter))
		if flag == nil {
			break
		}
		names = append(names, flag.Name)
		last := i+2 == len(word)
		if flag.NoOptDefVal == "" || !last && word[i+2] == '=' {
			return names, last
		}
	}
	return names, false
}
