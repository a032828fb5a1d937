package cliout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// NewChooser gives a function that lets the user choose one of several
// options on the terminal; it is nil unless both in and out are terminals, so
// that a script is never asked.
func NewChooser(in, out *os.File) func(ctx context.Context, question string, options []string) (int, error) {
	if !IsTerminal(in) || !IsTerminal(out) {
		return nil
	}
	return func(ctx context.Context, question string, options []string) (int, error) {
		fmt.Fprintln(out, question)
		for i, o := range options {
			fmt.Fprintf(out, "  %d) %s\n", i+1, o)
		}
		lines := bufio.NewReader(in)
		for {
			fmt.Fprintf(out, "Number (1-%d): ", len(options))
			line, err := readLine(ctx, lines)
			if err != nil {
				fmt.Fprintln(out)
				return 0, err
			}
			if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && n >= 1 && n <= len(options) {
				return n - 1, nil
			}
		}
	}
}

// readLine reads a line, or gives up when ctx ends; then the read is left
// behind, as the program is about to end.
func readLine(ctx context.Context, r *bufio.Reader) (string, error) {
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := r.ReadString('\n')
		got <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case a := <-got:
		if a.err != nil && a.line == "" {
			return "", errors.New("nothing was chosen")
		}
		return a.line, nil
	}
}
