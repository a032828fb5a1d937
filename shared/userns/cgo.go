//go:build linux && cgo

package userns

/*
#include <stdlib.h>
#include "join.h"
#include "make.h"
*/
import "C"

import (
	"syscall"
	"unsafe"
)

// constructed is what the constructor left behind.
func constructed() (state int, err error) {
	if C.userns_errno != 0 {
		err = syscall.Errno(C.userns_errno)
	}
	return int(C.userns_state), err
}

// before returns the effective IDs that the process was started with.
func before() (uid, gid int) { return int(C.userns_uid), int(C.userns_gid) }

// pausePid returns the pid of the live pause process named by the file, or 0.
func pausePid(path string) int {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	return int(C.userns_pause_pid(p))
}

// fork starts a child that makes namespaces; see make.h.
func fork(user, flags, sock int) (pid int, err error) {
	pid = int(C.userns_child(C.int(user), C.int(flags), C.int(sock)))
	if pid < 0 {
		return 0, syscall.Errno(-pid)
	}
	return pid, nil
}
