package engine

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/podsuite/podsuite/podman/engine/container"
	"github.com/podsuite/podsuite/podman/engine/process"
	"github.com/podsuite/podsuite/shared/errdef"
)

// Top tells of the processes of a running container: a row of headings, then
// one for each process. Without descriptors it has the usual columns.
func (e *Engine) Top(ctx context.Context, nameOrID string, descriptors []string) ([][]string, error) {
	c, pids, err := e.processes(ctx, nameOrID)
	if err != nil {
		return nil, err
	}
	if len(descriptors) == 0 {
		descriptors = []string{"user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args"}
	}
	columns, err := process.Columns(descriptors)
	if err != nil {
		return nil, err
	}
	root := fmt.Sprintf("/proc/%d/root", e.status(c.ID).Pid)
	return process.Table(columns, pids, root, time.Now())
}

// processes lists the processes of a running container as the host numbers
// them, its first one first.
func (e *Engine) processes(ctx context.Context, nameOrID string) (*container.Config, []int, error) {
	found, err := e.Lookup(nameOrID)
	if err != nil {
		return nil, nil, errdef.As(errdef.ErrNotFound, fmt.Errorf("unable to look up requested container: %w", err))
	}
	c, err := e.configuration(found.ID)
	if err != nil {
		return nil, nil, err
	}
	s := e.status(c.ID)
	if s.State != Running {
		return nil, nil, errdef.Newf(errdef.ErrConflict, "top can only be used on running containers")
	}
	rt, err := e.runtime(c.Runtime)
	if err != nil {
		return nil, nil, err
	}
	pids, err := rt.Pids(ctx, c.ID)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Contains(pids, s.Pid) {
		// Without control groups there is only its own namespace to go by.
		if pids, err = namespacePids(s.Pid); err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(pids)
	return c, pids, nil
}

// namespacePids lists the processes in the PID namespace of the process.
func namespacePids(pid int) ([]int, error) {
	want, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/pid")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, entry := range entries {
		n, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if have, err := os.Readlink("/proc/" + entry.Name() + "/ns/pid"); err == nil && have == want {
			pids = append(pids, n)
		}
	}
	return pids, nil
}

// TopPs runs the container's own ps with the arguments, for those that are no
// descriptors of ours.
func (e *Engine) TopPs(ctx context.Context, nameOrID string, args []string, out, errs *os.File) (status int, err error) {
	c, _, err := e.processes(ctx, nameOrID)
	if err != nil {
		return 0, err
	}
	if len(args) == 1 {
		args = strings.Fields(args[0])
	}
	return e.Exec(ctx, c.ID, ExecRequest{Command: append([]string{"ps"}, args...), User: "0", Streams: Streams{Out: out, Err: errs}})
}
