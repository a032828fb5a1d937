package userns

import (
	"fmt"
	"os"
)

// CallerInside tells whether the caller is in this process's user namespace, as
// it is under unshare, and so can see what is mounted there.
func CallerInside() bool {
	own, err1 := os.Readlink("/proc/self/ns/user")
	callers, err2 := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", os.Getppid()))
	return err1 == nil && err2 == nil && own == callers
}
