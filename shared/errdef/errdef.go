// Package errdef names the classes an error can belong to, so that callers
// decide by class (errors.Is) and never by text. It imports the standard
// library only.
package errdef

import (
	"errors"
	"fmt"
)

// The classes. A class is attached where it is first known, with As or Newf,
// and tested with errors.Is; its own text never shows in a message.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("conflict")
	ErrInvalid     = errors.New("invalid")
	ErrUnsupported = errors.New("unsupported")
	ErrDenied      = errors.New("denied")
	ErrBusy        = errors.New("busy")
	ErrUnavailable = errors.New("unavailable")
)

type classed struct {
	class error
	err   error
}

func (e *classed) Error() string        { return e.err.Error() }
func (e *classed) Unwrap() error        { return e.err }
func (e *classed) Is(target error) bool { return target == e.class }

// As attaches class to err without changing its text. A nil err stays nil.
func As(class, err error) error {
	if err == nil {
		return nil
	}
	return &classed{class, err}
}

// Newf makes an error of the class; the text is formatted as by fmt.Errorf,
// %w included.
func Newf(class error, format string, args ...any) error {
	return &classed{class, fmt.Errorf(format, args...)}
}

// Exit is an error that carries the exit status its program should end with.
// A nil Err ends the program with Code and prints nothing: the way a
// container's own exit status is passed on.
type Exit struct {
	Code int
	Err  error
}

func (e *Exit) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Exit) Unwrap() error { return e.Err }

// ExitCode is the status err asks for, or otherwise when it asks for none.
func ExitCode(err error, otherwise int) int {
	var exit *Exit
	if errors.As(err, &exit) {
		return exit.Code
	}
	return otherwise
}
