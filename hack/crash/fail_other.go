//go:build !amd64

package main

import (
	"errors"
	"syscall"
)

// Calls that fail are there on amd64 alone.
func skipCall(int) error { return errors.ErrUnsupported }

func endCall(int, syscall.Errno) error { return errors.ErrUnsupported }
