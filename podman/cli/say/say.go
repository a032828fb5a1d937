// Package say has what several commands say: the question before something is
// removed for good, and several errors at once. It imports the standard
// library only.
package say

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Confirm prints the warning and asks. An end of input is an error: nobody
// has answered.
func Confirm(in io.Reader, out io.Writer, warning string) (bool, error) {
	fmt.Fprintf(out, "%s\nAre you sure you want to continue? [y/N] ", warning)
	answer, err := bufio.NewReader(io.LimitReader(in, 1<<10)).ReadString('\n')
	if err != nil && answer == "" {
		return false, err
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return strings.HasPrefix(answer, "y"), nil
}

// Errors makes one error of several, each on a line of its own as if it were
// the only one; of none it makes nil.
func Errors(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	err := errs[0]
	for _, next := range errs[1:] {
		err = fmt.Errorf("%w\nError: %w", err, next)
	}
	return err
}
