package runtime

import (
	"context"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// IO is what a container process reads and writes. The files go straight to
// the process; a nil one is /dev/null. With Terminal the three are ignored: a
// pty is made inside the container and its master returned as Started.Console.
type IO struct {
	Stdin, Stdout, Stderr *os.File
	Terminal              bool
	// ExtraFiles become the process's descriptors 3 and up; a nil one is none.
	ExtraFiles []*os.File
}

// Process is a further process for a running container. Fields of the embedded
// process that are left empty (capabilities, rlimits) are as the container's.
type Process struct {
	*specs.Process
	IO
}

// Started is a process that now exists. It is a child of the caller (the
// external engine needs the caller to be a subreaper, see SetSubreaper), who
// waits for it with wait4 or a pidfd. Console is nil without a terminal, else
// the pty's master, close-on-exec, and the caller's to close.
type Started struct {
	Pid     int
	Console *os.File
}

// Runtime runs containers by the OCI runtime specification. All methods may be
// called from any process that opened the same state directory. No method
// leaves behind a goroutine or a descriptor that a container depends on, so
// the caller may replace its own program image afterwards.
//
// The errors are classed by errdef: ErrNotFound for a container that does not
// exist, ErrConflict for an ID in use or a container in the wrong state; and by
// ErrCommandNotFound, ErrNotExecutable and ErrFailed for a process that could
// not run (ExitCode gives 127 or 126 for those).
type Runtime interface {
	// Create makes the container and its init process, which stays blocked
	// just before it executes the user's command. The bundle is the directory
	// of config.json; a nil spec is read from there. All descriptors of the
	// caller but 0, 1 and 2 are marked close-on-exec.
	Create(ctx context.Context, id, bundle string, spec *specs.Spec, io IO) (Started, error)
	// Start lets the init process of a created container execute its command.
	Start(ctx context.Context, id string) error
	// Exec runs one more process in a running container.
	Exec(ctx context.Context, id string, p Process) (Started, error)
	// Kill sends a signal to the init process, or to every process with all.
	Kill(ctx context.Context, id string, sig unix.Signal, all bool) error
	// State tells status, pid and bundle.
	State(ctx context.Context, id string) (*specs.State, error)
	// Delete removes what is left of a stopped container: its control groups
	// and its state; with force it kills a running one first. To delete what
	// is not there is no error.
	Delete(ctx context.Context, id string, force bool) error
	// Pause freezes all processes of the container, Resume thaws them.
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	// Pids lists the processes of the container as the caller numbers them.
	Pids(ctx context.Context, id string) ([]int, error)
	// Update changes the limits that are set in res and keeps the others.
	Update(ctx context.Context, id string, res *specs.LinuxResources) error
}

// Options are settings of an engine. The zero value is a good default.
type Options struct {
	// SystemdCgroup lets systemd make the control groups; cgroupsPath is then
	// "slice:prefix:name".
	SystemdCgroup bool
	// CgroupParent is the control group under which containers that name no
	// cgroupsPath are put, "/libpod_parent" when empty; with SystemdCgroup a
	// slice.
	CgroupParent string
	// NoCgroups creates containers without control groups.
	NoCgroups bool
	// NoKeyring leaves the caller's session keyring to the container.
	NoKeyring bool
	// Debug lets the engine log all it does.
	Debug bool
	// Flags are further global options of an external engine, without the
	// leading dashes: "log-format=json". The built-in one has none.
	Flags []string
}

// Open gives the engine called name: "" or "builtin" for the one built in,
// else an OCI runtime program by its name in $PATH or by its path. Open makes
// no directory and runs nothing: state directories are made when needed.
func Open(name, stateDir string, opts Options) (Runtime, error) {
	if opts.CgroupParent == "" {
		opts.CgroupParent = defaultCgroupParent
	}
	if name == "" || name == "builtin" {
		if len(opts.Flags) > 0 {
			return nil, errdef.Newf(errdef.ErrUnsupported, "runtime flag %q: the built-in runtime has none; choose another with --runtime", opts.Flags[0])
		}
		return newBuiltin(stateDir, opts), nil
	}
	return newExternal(name, stateDir, opts)
}

// SetSubreaper makes the calling process the one that orphaned descendants are
// handed to, as it must be for Create and Exec of an external engine to return
// children of the caller.
func SetSubreaper() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}
