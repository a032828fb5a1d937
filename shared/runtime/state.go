package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// stateFile is a container's record in its state directory. It is written
// when the init process is there, and the directory is removed with it.
const stateFile = "state.json"

// state is what later calls need to know of a container.
type state struct {
	ID          string            `json:"id"`
	Bundle      string            `json:"bundle"`
	Pid         int               `json:"pid"`
	PidStart    uint64            `json:"pidStart"` // field 22 of /proc/PID/stat
	Annotations map[string]string `json:"annotations,omitempty"`
	Cgroup      *cgroups.Cgroup   `json:"cgroup"` // nil: none
	CgroupPaths map[string]string `json:"cgroupPaths"`

	// What further processes have unless they bring their own.
	Capabilities *specs.LinuxCapabilities `json:"capabilities,omitempty"`
	Rlimits      []rlimit                 `json:"rlimits,omitempty"`
	Apparmor     string                   `json:"apparmor,omitempty"`
	SelinuxLabel string                   `json:"selinuxLabel,omitempty"`
	Filtered     bool                     `json:"filtered,omitempty"` // containerFilter must be there
	SeccompFlags uint64                   `json:"seccompFlags,omitempty"`

	Hooks *specs.Hooks `json:"hooks,omitempty"` // those that are still to come
}

// dir is the container's state directory.
func (b *builtin) dir(id string) (string, error) {
	if err := checkID(id); err != nil {
		return "", err
	}
	return filepath.Join(b.root, id), nil
}

// load reads a container's state.
func (b *builtin) load(id string) (*state, error) {
	dir, err := b.dir(id)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errdef.Newf(errdef.ErrNotFound, "load container %q: container does not exist", id)
	}
	s := new(state)
	if err == nil {
		err = json.Unmarshal(data, s)
	}
	if err != nil {
		return nil, fmt.Errorf("load container %q: %w", id, err)
	}
	return s, nil
}

// save writes the state in one step.
func (b *builtin) save(s *state) error {
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("save state of container %q: %w", s.ID, err)
	}
	path := filepath.Join(b.root, s.ID, stateFile)
	err = os.WriteFile(path+".tmp", data, 0o600)
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return fmt.Errorf("save state of container %q: %w", s.ID, err)
	}
	return nil
}

// manager is the container's control group.
func (s *state) manager() (cgroups.Manager, error) {
	if s.Cgroup == nil {
		return noGroup{}, nil
	}
	m, err := manager.NewWithPaths(s.Cgroup, s.CgroupPaths)
	if err != nil {
		return nil, fmt.Errorf("open control group of container %q: %w", s.ID, err)
	}
	return m, nil
}

// open gives a descriptor of the init process, or ESRCH when it has ended.
func (s *state) open() (pidfd int, err error) {
	pidfd, err = unix.PidfdOpen(s.Pid, 0)
	if err != nil {
		return -1, err
	}
	// With the descriptor open the pid can't be given to another.
	if start, zombie, err := processStart(s.Pid); err != nil || zombie || start != s.PidStart {
		unix.Close(pidfd)
		return -1, unix.ESRCH
	}
	return pidfd, nil
}

// alive tells whether the init process is there and has not ended.
func (s *state) alive() bool {
	start, zombie, err := processStart(s.Pid)
	return err == nil && !zombie && start == s.PidStart
}

// processStart reads when a process started, and whether it has ended.
func processStart(pid int) (start uint64, zombie bool, err error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false, err
	}
	// The name in parentheses may hold anything.
	_, rest, ok := strings.Cut(string(data[max(0, strings.LastIndexByte(string(data), ')')):]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return 0, false, fmt.Errorf("read /proc/%d/stat: malformed", pid)
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0] == "Z" || fields[0] == "X", err
}

// status is the container's state in the specification's words.
func (b *builtin) status(s *state) (specs.ContainerState, error) {
	if !s.alive() {
		return specs.StateStopped, nil
	}
	if _, err := os.Lstat(filepath.Join(b.root, s.ID, execFifo)); err == nil {
		return specs.StateCreated, nil
	}
	m, err := s.manager()
	if err != nil {
		return "", err
	}
	if frozen, err := m.GetFreezerState(); err == nil && frozen == cgroups.Frozen {
		return statePaused, nil
	}
	return specs.StateRunning, nil
}

// statePaused is a state of runtimes', not of the specification.
const statePaused specs.ContainerState = "paused"

// killWait is how long Delete waits for killed processes; one in an
// uninterruptible sleep can take that long.
const killWait = 10 * time.Second
