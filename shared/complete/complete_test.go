package complete

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

func TestWords(t *testing.T) {
	for use, want := range map[string][]string{
		"run [options] IMAGE [COMMAND [ARG...]]":                  {"IMAGE", "COMMAND", "ARG", "ARG"},
		"rm [options] CONTAINER [CONTAINER...]":                   {"CONTAINER", "CONTAINER", "CONTAINER"},
		"rmi IMAGE...":                                            {"IMAGE", "IMAGE"},
		"diff [options] {CONTAINER|IMAGE} [{CONTAINER|IMAGE}]":    {"CONTAINER|IMAGE", "CONTAINER|IMAGE", ""},
		"cp [options] [CONTAINER:]SRC_PATH [CONTAINER:]DEST_PATH": {"SRC_PATH", "DEST_PATH", ""},
		"copy [command options] SOURCE-IMAGE DESTINATION-IMAGE":   {"SOURCE-IMAGE", "DESTINATION-IMAGE", ""},
		"inspect [options] {CONTAINER|IMAGE|VOLUME} [...]":        {"CONTAINER|IMAGE|VOLUME", "CONTAINER|IMAGE|VOLUME"},
		"ps [options]": {""},
		"top [options] CONTAINER [FORMAT-DESCRIPTORS|ARGS...]": {"CONTAINER", "FORMAT-DESCRIPTORS|ARGS", "FORMAT-DESCRIPTORS|ARGS"},
	} {
		words := usageWords(use)
		for i, kind := range want {
			if got, _ := wordAt(words, i); got != kind {
				t.Errorf("%s: word %d is %q, want %q", use, i, got, kind)
			}
		}
	}
}

func TestAdd(t *testing.T) {
	root := &cobra.Command{Use: "tool"}
	sub := &cobra.Command{Use: "rm [options] BOX [BOX...]", RunE: func(*cobra.Command, []string) error { return nil }}
	sub.Flags().String("pull", "", "")
	sub.Flags().Int("time", 0, "")
	sub.Flags().String("file", "", "")
	root.AddCommand(sub)
	Add(root, Words{Args: map[string]Values{"BOX": OneOf("red", "green", "rest:")}, Options: map[string]Values{"pull": OneOf("own")}})
	got, directive := sub.ValidArgsFunction(sub, []string{"red"}, "r")
	if !slices.Equal(got, []string{"rest:"}) || directive != cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace {
		t.Errorf("arguments: %q, %v", got, directive)
	}
	pull, ok := sub.GetFlagCompletionFunc("pull")
	if !ok {
		t.Fatal("--pull has no completion")
	}
	if got, directive = pull(sub, nil, ""); !slices.Equal(got, []string{"own"}) || directive != cobra.ShellCompDirectiveNoFileComp {
		t.Errorf("--pull: %q, %v", got, directive)
	}
	if _, ok := sub.GetFlagCompletionFunc("file"); ok {
		t.Error("--file should be left to the shell")
	}
	number, _ := sub.GetFlagCompletionFunc("time")
	if got, directive = number(sub, nil, ""); len(got) > 0 || directive != cobra.ShellCompDirectiveNoFileComp {
		t.Errorf("--time: %q, %v", got, directive)
	}
}
