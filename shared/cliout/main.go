package cliout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// MainOptions adjusts Main; the zero value is the process's own arguments and
// streams.
type MainOptions struct {
	Args           []string // without the program's name; nil = os.Args[1:]
	Stdout, Stderr io.Writer
	Context        context.Context
}

// style is what the three programs do differently on the command line.
type style struct {
	failed     int    // exit status of an error without one of its own
	options    string // word for options in usage lines
	tryHelp    bool   // usage errors end with "See 'NAME --help'"
	groupFails bool   // a group without a command is an error, else its help
	log        bool   // errors look like log lines
}

func styleOf(name string) style {
	switch name {
	case "podman":
		return style{failed: 125, options: "Options", tryHelp: true, groupFails: true}
	case "skopeo":
		return style{failed: 1, options: "Flags", groupFails: true, log: true}
	}
	return style{failed: 125, options: "Flags"}
}

// Main runs root as the program name ("podman", "buildah" or "skopeo"), prints
// its error in that program's form and returns the exit status: the one an
// errdef.Exit carries, else the program's own for failure. It fills in what
// all commands share: help texts, groups of commands, usage errors.
func Main(name string, root *cobra.Command, opts MainOptions) int {
	if opts.Args == nil {
		opts.Args = os.Args[1:]
	}
	if opts.Stdout == nil {
		opts.Stdout = os.Stdout
	}
	if opts.Stderr == nil {
		opts.Stderr = os.Stderr
	}
	if opts.Context == nil {
		opts.Context = context.Background()
	}
	st := styleOf(name)
	prepare(root, st)
	root.SetArgs(opts.Args)
	root.SetOut(opts.Stdout)
	root.SetErr(opts.Stderr)
	err := root.ExecuteContext(opts.Context)
	if err == nil {
		return 0
	}
	printError(opts, st, err)
	return errdef.ExitCode(err, st.failed)
}

func prepare(root *cobra.Command, st style) {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if st.tryHelp {
			err = fmt.Errorf("%w\nSee '%s --help'", err, cmd.CommandPath())
		}
		return errdef.As(errdef.ErrInvalid, err)
	})
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { help(cmd, st) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { help(cmd, st); return nil })
	prepareGroups(root, st)
}

// prepareGroups lets a command that only holds others say what is wrong with
// a call of itself.
func prepareGroups(cmd *cobra.Command, st style) {
	for _, sub := range cmd.Commands() {
		prepareGroups(sub, st)
	}
	if st.options == "Options" && isNoArgs(cmd.Args) {
		cmd.Args = noArgs
	}
	if cmd.Runnable() || !cmd.HasSubCommands() {
		return
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runGroup(cmd, args, st) }
}

// isNoArgs tells cobra.NoArgs, whose message is another tool's.
func isNoArgs(f cobra.PositionalArgs) bool {
	return f != nil && reflect.ValueOf(f).Pointer() == reflect.ValueOf(cobra.NoArgs).Pointer()
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errdef.Newf(errdef.ErrInvalid, "`%s` takes no arguments", cmd.CommandPath())
	}
	return nil
}

func runGroup(cmd *cobra.Command, args []string, st style) error {
	path := cmd.CommandPath()
	switch {
	case len(args) == 0 && !st.groupFails:
		return cmd.Help()
	case len(args) == 0:
		help(cmd, st)
		hint := ""
		if st.log {
			hint = fmt.Sprintf("\nTry '%s --help' for more information", path)
		}
		return errdef.Newf(errdef.ErrInvalid, "%s command '%s COMMAND'%s", leading(st, "missing"), path, hint)
	case st.groupFails:
		return errdef.Newf(errdef.ErrInvalid, "%s command `%s %s`\n%sTry '%s --help' for more information",
			leading(st, "unrecognized"), path, args[0], suggestions(cmd, args[0]), path)
	case cmd.HasParent():
		return cmd.Help()
	}
	return errdef.Newf(errdef.ErrInvalid, "unknown command %q for %q", args[0], path)
}

// leading gives a message's first word the capital letter that log lines have.
func leading(st style, word string) string {
	if st.log {
		return strings.ToUpper(word[:1]) + word[1:]
	}
	return word
}

func suggestions(cmd *cobra.Command, typed string) string {
	if cmd.SuggestionsMinimumDistance <= 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	names := cmd.SuggestionsFor(typed)
	if len(names) == 0 {
		return ""
	}
	return "\nDid you mean this?\n\t" + strings.Join(names, "\n\t") + "\n\n"
}

// UsageError is an error before which the command's help is printed, where
// errors go.
func UsageError(cmd *cobra.Command, err error) error {
	cmd.SetOut(cmd.ErrOrStderr())
	if e := cmd.Help(); e != nil {
		return e
	}
	return err
}

func printError(opts MainOptions, st style, err error) {
	var exit *errdef.Exit
	if errors.As(err, &exit) && exit.Err == nil {
		return
	}
	if st.log {
		(&Log{W: opts.Stderr}).line("fatal", err.Error())
		return
	}
	fmt.Fprintf(opts.Stderr, "Error: %s\n", strings.TrimSuffix(err.Error(), "\n"))
}

// Interruptible is a context that SIGINT, SIGTERM and SIGHUP cancel, for
// commands that have something to undo; stop gives the signals back. A second
// signal ends the process at once.
func Interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := signal.NotifyContext(parent, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	context.AfterFunc(ctx, cancel)
	return ctx, cancel
}
