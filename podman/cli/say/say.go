// Package say has what several commands say: the question before something is
// removed for good, several errors at once, and the status of a removal. It
// imports shared/errdef.
package say

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
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

// RemoveStatus gives the errors of a removal the status that scripts know: 2
// when one of the objects is in use, 1 when one isn't there.
func RemoveStatus(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	status := 125
	for _, err := range errs {
		switch {
		case errors.Is(err, errdef.ErrBusy):
			status = 2
		case errors.Is(err, errdef.ErrNotFound) && status != 2:
			status = 1
		}
	}
	return &errdef.Exit{Code: status, Err: Errors(errs)}
}
