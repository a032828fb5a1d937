package complete

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Values lists what may stand at a place; typed is what is there already.
// Whatever doesn't begin with it is left out later.
type Values func(cmd *cobra.Command, typed string) []string

// Words are the declarations of one program.
type Words struct {
	Args    map[string]Values // by the word in the usage line
	Options map[string]Values // by the option's name
}

// OneOf is a fixed list.
func OneOf(values ...string) Values {
	return func(*cobra.Command, string) []string { return values }
}

// Any joins several kinds.
func Any(kinds ...Values) Values {
	return func(cmd *cobra.Command, typed string) []string {
		var all []string
		for _, k := range kinds {
			all = append(all, k(cmd, typed)...)
		}
		return all
	}
}

// Options are those that mean the same in all three programs.
func Options() map[string]Values {
	compression := OneOf("gzip", "zstd", "zstd:chunked")
	return map[string]Values{
		"add-compression":      compression,
		"allow":                OneOf("network.host", "security.insecure", "device", "device="),
		"arch":                 OneOf("386", "amd64", "arm", "arm64", "mips64le", "ppc64le", "riscv64", "s390x"),
		"cgroup-manager":       OneOf("cgroupfs", "systemd"),
		"compression-format":   compression,
		"dest-compress-format": compression,
		"log-level":            OneOf("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"),
		"multi-arch":           OneOf("system", "all", "index-only"),
		"os":                   OneOf("linux", "windows"),
		"override-arch":        OneOf("386", "amd64", "arm", "arm64", "mips64le", "ppc64le", "riscv64", "s390x"),
		"override-os":          OneOf("linux", "windows"),
		"platform":             OneOf("linux/386", "linux/amd64", "linux/arm/v7", "linux/arm64", "linux/ppc64le", "linux/riscv64", "linux/s390x"),
		"progress":             OneOf("auto", "plain", "tty", "json", "none"),
		"pull":                 OneOf("always", "missing", "never", "newer"),
		"runtime":              OneOf("builtin", "crun", "runc"),
		"storage-driver":       OneOf("overlay", "vfs"),
	}
}

// Asked tells whether the arguments are the shell's question.
func Asked(args []string) bool {
	return len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)
}

// Add attaches the declarations to the commands, except where a command has
// its own.
func Add(root *cobra.Command, w Words) {
	options := Options()
	maps.Copy(options, w.Options)
	w.Options = options
	add(root, w)
}

func add(cmd *cobra.Command, w Words) {
	for _, sub := range cmd.Commands() {
		add(sub, w)
	}
	complete := func(f *pflag.Flag) {
		values, known := w.Options[f.Name]
		switch f.Value.Type() {
		case "int", "int64", "uint", "uint16", "uint64", "float64", "duration":
			values, known = OneOf(), true
		}
		if !known || f.Value.Type() == "bool" {
			return // the shell offers files
		}
		// The error is that the command has declared its own.
		_ = cmd.RegisterFlagCompletionFunc(f.Name, func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return offer(values(cmd, typed), typed, nil)
		})
	}
	cmd.LocalFlags().VisitAll(complete)
	if cmd.ValidArgsFunction != nil || len(cmd.ValidArgs) > 0 || cmd.HasSubCommands() {
		return
	}
	words := usageWords(cmd.Use)
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		word, ok := wordAt(words, len(args))
		if !ok {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var all []string
		known := false
		for kind := range strings.SplitSeq(word, "|") {
			if values := w.Args[kind]; values != nil {
				all, known = append(all, values(cmd, typed)...), true
			} else if isFile(kind) {
				return all, cobra.ShellCompDirectiveDefault
			}
		}
		if !known {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(all, typed, args)
	}
}

// offer leaves out what doesn't fit and what was given before. After a value
// that goes on, no space is put.
func offer(values []string, typed string, given []string) ([]string, cobra.ShellCompDirective) {
	directive := cobra.ShellCompDirectiveNoFileComp
	var out []string
	for _, v := range values {
		if strings.HasPrefix(v, typed) && !slices.Contains(given, v) {
			out = append(out, v)
			if strings.ContainsAny(v[len(v)-1:], ":=/") {
				directive |= cobra.ShellCompDirectiveNoSpace
			}
		}
	}
	return out, directive
}

// usageWord is a place in a usage line.
type usageWord struct {
	kinds    string // IMAGE, or CONTAINER|IMAGE
	repeated bool
}

// usageWords reads "run [options] IMAGE [COMMAND [ARG...]]".
func usageWords(use string) []usageWord {
	var words []usageWord
	fields := strings.Fields(use)
	for _, field := range fields[min(1, len(fields)):] {
		kinds := strings.Trim(field, "[]{}.")
		if i := strings.LastIndexByte(kinds, ']'); i >= 0 {
			kinds = kinds[i+1:] // [CONTAINER:]SRC_PATH
		}
		switch {
		case kinds == "options" || kinds == "command":
		case kinds == "": // a "[...]" of its own repeats the word before it
			if len(words) > 0 {
				words[len(words)-1].repeated = true
			}
		default:
			words = append(words, usageWord{kinds, strings.Contains(field, "...")})
		}
	}
	return words
}

func wordAt(words []usageWord, i int) (string, bool) {
	switch {
	case i < len(words):
		return words[i].kinds, true
	case len(words) > 0 && words[len(words)-1].repeated:
		return words[len(words)-1].kinds, true
	}
	return "", false
}

// isFile tells the words of usage lines that stand for files, and for commands
// of a container, whose arguments often are files.
func isFile(word string) bool {
	switch word {
	case "PATH", "FILE", "CONTEXT", "DIRECTORY", "COMMAND", "ARG", "MANIFEST-FILE", "MANIFEST", "SIGNATURE", "SRC", "DEST":
		return true
	}
	return false
}
