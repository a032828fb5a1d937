// Package prompt asks the user before something is removed for good. It
// imports the standard library only.
package prompt

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
