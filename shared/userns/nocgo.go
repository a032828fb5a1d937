//go:build linux && !cgo

package userns

import (
	"errors"
	"os"
)

// constructed says that no namespace can be joined: that takes C code which
// runs before Go's threads start.
func constructed() (int, error) { return stateStuck, errors.New("this program was built without cgo") }

func before() (uid, gid int) { return os.Geteuid(), os.Getegid() }

func pausePid(string) int { return 0 }

func fork(_, _, _ int) (int, error) { return 0, errors.New("this program was built without cgo") }
