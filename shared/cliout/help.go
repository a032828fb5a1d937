package cliout

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// help writes a command's help to its standard output.
func help(cmd *cobra.Command, st style) {
	var b strings.Builder
	about(&b, cmd, st)
	b.WriteString("Usage:\n")
	for _, line := range usageLines(cmd, st) {
		b.WriteString("  " + line + "\n")
	}
	if len(cmd.Aliases) > 0 {
		b.WriteString("\nAliases:\n  " + cmd.NameAndAliases() + "\n")
	}
	if cmd.HasExample() {
		b.WriteString("\nExamples:\n" + indent(cmd.Example) + "\n")
	}
	commands(&b, cmd)
	if f := cmd.Flags().Lookup("help"); f != nil && f.Shorthand != "" && st.options == "Options" { // -h, which everybody knows
		f.Hidden = true
	}
	if flags := cmd.LocalFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(&b, "\n%s:\n%s\n", st.options, strings.TrimRight(flags.FlagUsages(), " \n"))
	}
	if cmd.Name() == "help" && cmd.HasAvailableInheritedFlags() && st.options == "Flags" {
		fmt.Fprintf(&b, "\nGlobal Flags:\n%s\n", strings.TrimRight(cmd.InheritedFlags().FlagUsages(), " \n"))
	}
	if cmd.HasAvailableSubCommands() && st.options == "Flags" {
		fmt.Fprintf(&b, "\nUse \"%s [command] --help\" for more information about a command.\n", cmd.CommandPath())
	}
	b.WriteByte('\n')
	cmd.OutOrStdout().Write([]byte(b.String())) //nolint:errcheck // nobody to tell
}

func about(b *strings.Builder, cmd *cobra.Command, st style) {
	long := strings.TrimSpace(cmd.Long)
	if st.options != "Options" {
		if long == "" {
			long = cmd.Short
		}
		if long != "" {
			b.WriteString(long + "\n\n")
		}
		return
	}
	b.WriteString(cmd.Short + "\n\n")
	if long == "" && cmd.HasParent() {
		long = cmd.Short
	}
	if long != "" && cmd.HasParent() {
		b.WriteString("Description:\n" + indent(long) + "\n\n")
	}
}

func usageLines(cmd *cobra.Command, st style) []string {
	options := "[" + strings.ToLower(st.options) + "]"
	path, args := cmd.CommandPath(), ""
	if _, rest, ok := strings.Cut(cmd.Use, " "); ok {
		args = " " + strings.TrimSpace(strings.Replace(rest, options, "", 1))
	}
	if !cmd.HasAvailableSubCommands() {
		if st.options == "Flags" {
			return []string{path + strings.TrimRight(args, " ") + " " + options}
		}
		return []string{strings.TrimRight(path+" "+options+args, " ")}
	}
	if st.options == "Flags" && !cmd.HasParent() {
		return []string{path + " " + options, path + " [command]"}
	}
	if !cmd.HasParent() {
		return []string{path + " " + options + " [command]"}
	}
	return []string{path + " [command]"}
}

func commands(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	b.WriteString("\nAvailable Commands:\n")
	wide := 11
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			wide = max(wide, len(sub.Name())+1)
		}
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" && !sub.Hidden {
			fmt.Fprintf(b, "  %-*s %s\n", wide, sub.Name(), sub.Short)
		}
	}
}

func indent(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			line = "  " + line
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}
