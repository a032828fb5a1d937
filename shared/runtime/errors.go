package runtime

import (
	"errors"
	"strings"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Classes of a process that could not run. Test for them with errors.Is.
var (
	// ErrCommandNotFound: the command or its working directory is missing; a
	// shell would answer 127.
	ErrCommandNotFound = errors.New("OCI runtime attempted to invoke a command that was not found")
	// ErrNotExecutable: the command is there and may not be run; 126.
	ErrNotExecutable = errors.New("OCI permission denied")
	// ErrFailed: the runtime refused for any other reason; 126.
	ErrFailed = errors.New("OCI runtime error")
)

// ExitCode is the status that a program which runs containers ends with for an
// error of Create, Start or Exec; otherwise for errors of no class of ours.
func ExitCode(err error, otherwise int) int {
	switch {
	case errors.Is(err, ErrCommandNotFound):
		return 127
	case errors.Is(err, ErrNotExecutable), errors.Is(err, ErrFailed):
		return 126
	}
	return otherwise
}

// Endings that the kernel's error numbers have in messages people grep for.
const (
	noSuchFile   = ": No such file or directory: "
	notPermitted = ": Operation not permitted: "
	denied       = ": Permission denied: "
)

// classify turns what an engine said about a process that could not run into
// an error with its class and the wording scripts know. It understands both
// the Go library's and crun's texts.
func classify(err error) error {
	if err == nil || errors.Is(err, ErrCommandNotFound) || errors.Is(err, ErrNotExecutable) || errors.Is(err, ErrFailed) {
		return err
	}
	text := err.Error()
	if text, class := commandError(text); class != nil {
		return errdef.As(class, errors.New(text))
	}
	if text, class := workdirError(text); class != nil {
		return errdef.As(class, errors.New(text))
	}
	if strings.Contains(text, "OOM-killed") {
		text = "OOM: the memory limit could be too low"
	}
	return errdef.As(ErrFailed, errors.New(ErrFailed.Error()+": "+text))
}

// commandError recognises a command that is missing or may not be executed.
func commandError(text string) (string, error) {
	name, reason, ok := execError(text)
	switch {
	case ok && strings.Contains(reason, "not found in $PATH"):
		return "executable file `" + name + "` not found in $PATH" + noSuchFile + ErrCommandNotFound.Error(), ErrCommandNotFound
	case ok && strings.HasSuffix(reason, "no such file or directory"):
		return "executable file `" + name + "` not found" + noSuchFile + ErrCommandNotFound.Error(), ErrCommandNotFound
	case ok && strings.HasSuffix(reason, "is a directory"):
		return "the path `" + name + "` is not a regular file" + notPermitted + ErrNotExecutable.Error(), ErrNotExecutable
	case ok && strings.HasSuffix(reason, "permission denied"):
		return "the path `" + name + "` exists but it is not executable" + notPermitted + ErrNotExecutable.Error(), ErrNotExecutable
	case strings.Contains(text, "executable file `") && strings.Contains(text, "` not found"):
		return text + ": " + ErrCommandNotFound.Error(), ErrCommandNotFound
	case strings.Contains(text, "is not a regular file") || strings.Contains(text, "is not executable"):
		return text + ": " + ErrNotExecutable.Error(), ErrNotExecutable
	}
	return "", nil
}

// execError takes the command and the reason out of `exec: "NAME": REASON`.
func execError(text string) (name, reason string, ok bool) {
	_, rest, ok := strings.Cut(text, `exec: "`)
	if !ok {
		return "", "", false
	}
	// The name is quoted as by strconv.Quote; what ends it is `": `.
	end := strings.Index(rest, `": `)
	if end < 0 {
		return "", "", false
	}
	reason, _, _ = strings.Cut(rest[end+3:], "\n")
	return unquote(rest[:end]), strings.TrimSpace(strings.TrimRight(reason, `"`)), true
}

func unquote(s string) string {
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s)
}

// workdirError recognises a working directory that can't be entered.
func workdirError(text string) (string, error) {
	if i := strings.Index(text, "chdir to `"); i >= 0 {
		return text[i:] + ": " + ErrCommandNotFound.Error(), ErrCommandNotFound
	}
	_, rest, ok := strings.Cut(text, `chdir to cwd ("`)
	if !ok {
		return "", nil
	}
	dir, reason, _ := strings.Cut(rest, `")`)
	if strings.Contains(reason, "permission denied") {
		return "chdir to `" + dir + "`" + denied + ErrNotExecutable.Error(), ErrNotExecutable
	}
	return "chdir to `" + dir + "`" + noSuchFile + ErrCommandNotFound.Error(), ErrCommandNotFound
}
