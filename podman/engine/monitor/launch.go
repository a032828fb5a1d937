package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/podsuite/podsuite/podman/engine/monitor/loop"
	"github.com/podsuite/podsuite/podman/engine/monitor/wire"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime"
	"golang.org/x/sys/unix"
)

// launcherName is the argv[0] under which the image is the launcher.
const launcherName = "podman-launch"

// The launcher's inherited descriptors.
const (
	fdControl = 3 + iota
	fdListen
	fdHeld // the first of Request.Held, and behind them those of Request.Passed
)

// Request is what a launcher is asked to start.
type Request struct {
	ID         string   `json:"id"`
	Bundle     string   `json:"bundle"`               // directory of config.json
	Runtime    string   `json:"runtime"`              // as runtime.Open takes it
	StateDir   string   `json:"stateDir"`             // likewise
	Systemd    bool     `json:"systemd"`              // the cgroup manager
	Flags      []string `json:"flags,omitempty"`      // further global options of an external runtime
	Debug      bool     `json:"debug,omitempty"`      // an external runtime logs all it does
	NoKeyring  bool     `json:"noKeyring,omitempty"`  // the container keeps the caller's session keyring
	NoCgroups  bool     `json:"noCgroups,omitempty"`  // the container gets no control group
	Group      Group    `json:"group,omitempty"`      // where the monitor goes
	Terminal   bool     `json:"terminal"`             // the container gets a terminal
	Stdin      bool     `json:"stdin"`                // the container's input stays open for clients
	Log        string   `json:"log,omitempty"`        // the log file; empty for none
	Journal    string   `json:"journal,omitempty"`    // the container's name, where systemd's journal is its log
	Tag        string   `json:"tag,omitempty"`        // of its entries there
	Direct     bool     `json:"direct,omitempty"`     // the container gets the launcher's own streams
	Notify     string   `json:"notify,omitempty"`     // the socket for notices to the service manager; empty for none
	State      string   `json:"state"`                // the file that gets the running state
	Exit       []string `json:"exit"`                 // the files that get the exit record
	Self       []string `json:"self"`                 // podman with its global options, for the monitor
	LogMax     int64    `json:"logMax,omitempty"`     // bytes of the log after which it begins anew; 0 for none
	Stop       int      `json:"stop"`                 // the container's stop signal
	Timeout    uint     `json:"timeout,omitempty"`    // seconds after which the container is killed; 0 for none
	Checked    bool     `json:"checked,omitempty"`    // the container has a health check
	Held       int      `json:"held,omitempty"`       // how many port descriptors follow
	Passed     []bool   `json:"passed,omitempty"`     // the descriptors for the container that follow, from its 3 on; false is none
	Attach     bool     `json:"attach,omitempty"`     // the starting command gets the output
	CreateOnly bool     `json:"createOnly,omitempty"` // leave the process created, not started
}

// Group is the control group that a monitor goes to.
type Group string

// Where a monitor goes: it stays; out of the group of whoever starts it, by
// systemd or by itself; or beside the container, below that group.
const (
	GroupSame  Group = ""
	GroupScope Group = "scope"
	GroupOwn   Group = "own"
	GroupSplit Group = "split"
)

// enter moves this process.
func (g Group) enter(id string) (err error) {
	switch g {
	case GroupScope, GroupOwn:
		return runtime.LeaveGroup(g == GroupScope, id)
	case GroupSplit:
		_, err = runtime.SplitGroup(id)
	}
	return err
}

// State is the record of a container's run: who runs and who watches. It lies
// on the run root, and the boot ID tells whether it is of this boot.
type State struct {
	Pid       int    `json:"pid"`
	PidStart  uint64 `json:"pidStart"` // field 22 of /proc/PID/stat
	Monitor   int    `json:"monitor"`
	StartedAt int64  `json:"startedAt"` // Unix nanoseconds; 0 while only created
	Boot      string `json:"boot"`
}

// Main is the launcher and the monitor: what the program that package image
// carries does. It never returns.
func Main(args []string) {
	// Its path is that of a descriptor, which would name the process a number.
	os.WriteFile("/proc/self/comm", []byte("podman-monitor"), 0)
	if len(args) > 0 && args[0] == launcherName {
		// A launch ends before it has used 16 MB: no collection is worth its
		// time before that.
		debug.SetGCPercent(400)
		err := launch()
		code := runtime.ExitCode(err, errdef.ExitCode(err, 126))
		wire.Send(fdControl, wire.Failed, []byte(strconv.Itoa(code)+" "+err.Error()), 0)
		os.Exit(1)
	}
	if spec, ok := wire.ParseSpec(args[1:]); ok {
		loop.Run(spec)
		os.Exit(0)
	}
	os.Stderr.WriteString("podman-monitor: started by podman only\n")
	os.Exit(2)
}

// launch starts the container and turns into its monitor. It returns only
// with an error, and then nothing of the container's process is left.
func launch() error {
	cold := runtime.WarmCgroups()
	var req Request
	buf := make([]byte, 64<<10)
	kind, body, err := wire.Receive(fdControl, buf, 0)
	if err != nil || kind != wire.Launch {
		os.Exit(0) // the starting command is gone; so nothing is to be started
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return fmt.Errorf("read the launch request: %w", err)
	}
	for fd := fdControl; fd < fdHeld+req.Held+len(req.Passed); fd++ {
		unix.CloseOnExec(fd)
	}
	if err := req.Group.enter(req.ID); err != nil {
		return err
	}
	rt, err := runtime.Open(req.Runtime, req.StateDir, runtime.Options{SystemdCgroup: req.Systemd, NoCgroups: req.NoCgroups, NoKeyring: req.NoKeyring,
		Flags: req.Flags, Debug: req.Debug})
	if err != nil {
		return err
	}
	spec := wire.Spec{ID: req.ID, Control: fdControl, Listen: fdListen, Hold: fdHeld, Held: req.Held,
		TTY: req.Terminal, Exit: req.Exit, Self: req.Self, Stop: req.Stop, Check: -1, Attach: req.Attach, Out: -1, Err: -1, In: -1, Log: -1, OOM: -1, OOMAbove: -1, Notify: -1}
	if err := openLog(&req, &spec); err != nil {
		return err
	}
	if req.Notify != "" {
		if spec.Notify, err = listenNotices(req.Notify); err != nil {
			return err
		}
	}
	spec.LogMax = int(req.LogMax)
	if req.Timeout > 0 {
		spec.Limit = int(time.Now().Add(time.Duration(req.Timeout) * time.Second).UnixNano())
	}
	ctx := context.Background()
	started, err := create(ctx, rt, &req, &spec)
	cold()
	if err != nil {
		return err
	}
	undo := func(err error) error {
		rt.Delete(ctx, req.ID, true)
		return err
	}
	if !req.NoCgroups {
		spec.OOM, spec.OOMAbove = runtime.OOMEvents(runtime.GroupOf(started.Pid))
		spec.OOMBefore, _ = loop.Killed(spec.OOMAbove)
	}
	if !req.CreateOnly {
		if req.Checked {
			spec.Check = 0
		}
		if err := rt.Start(ctx, req.ID); err != nil {
			return undo(err)
		}
	}
	spec.Pid = started.Pid
	state, err := writeState(&req, spec.Pid)
	if err != nil {
		return undo(err)
	}
	spec.Started = int(state.StartedAt)
	if err := wire.Send(fdControl, wire.Started, []byte(strconv.Itoa(spec.Pid)), 0); err != nil && err != unix.EPIPE {
		return undo(fmt.Errorf("report the start: %w", err))
	}
	become(&spec)
	return nil
}

// create makes the container's input and output and creates it with them.
func create(ctx context.Context, rt runtime.Runtime, req *Request, spec *wire.Spec) (runtime.Started, error) {
	streams := runtime.IO{Terminal: req.Terminal}
	var theirs []*os.File
	for i, there := range req.Passed {
		var f *os.File
		if there {
			f = os.NewFile(uintptr(fdHeld+req.Held+i), "passed")
			theirs = append(theirs, f)
		}
		streams.ExtraFiles = append(streams.ExtraFiles, f)
	}
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
	}()
	if req.Direct {
		streams.Stdin, streams.Stdout, streams.Stderr = os.Stdin, os.Stdout, os.Stderr
	} else if !req.Terminal {
		var in *os.File
		var err error
		if req.Stdin {
			in, spec.In, err = pipe(false)
		} else {
			in, err = os.Open(os.DevNull)
		}
		if err != nil {
			return runtime.Started{}, fmt.Errorf("open the input: %w", err)
		}
		theirs = append(theirs, in)
		streams.Stdin = in
		for _, p := range []struct {
			file **os.File
			fd   *int
		}{{&streams.Stdout, &spec.Out}, {&streams.Stderr, &spec.Err}} {
			if *p.file, *p.fd, err = pipe(true); err != nil {
				return runtime.Started{}, fmt.Errorf("open the output: %w", err)
			}
			theirs = append(theirs, *p.file)
		}
	}
	started, err := rt.Create(ctx, req.ID, req.Bundle, nil, streams)
	if req.Direct {
		err = errors.Join(err, letGo())
	}
	if err == nil && started.Console != nil {
		spec.Out = int(started.Console.Fd())
		if req.Stdin {
			spec.In = spec.Out
		}
	}
	return started, err
}

// letGo takes this process's hands off the streams that are the container's.
func letGo() error {
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	for fd := 0; fd <= 2 && err == nil; fd++ {
		err = unix.Dup3(null, fd, 0)
	}
	return err
}

// pipe makes a pipe: the container's end as a file (its write end where
// output) and the monitor's as a bare descriptor that no finalizer closes.
func pipe(output bool) (theirs *os.File, ours int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return nil, -1, err
	}
	if output {
		return os.NewFile(uintptr(p[1]), "output"), p[0], nil
	}
	return os.NewFile(uintptr(p[0]), "input"), p[1], nil
}

// becomeAfter is how long the launcher watches as it is. Most containers that
// a user waits for are over by then, without a further program's start.
const becomeAfter = 100 * time.Millisecond

// become turns the launcher into the monitor. That executes the image anew,
// and so gives back the memory that the launch took.
func become(spec *wire.Spec) {
	if loop.RunFor(spec, becomeAfter) {
		os.Exit(0)
	}
	for _, fd := range []int{spec.Control, spec.Listen, spec.Out, spec.Err, spec.In, spec.Log, spec.OOM, spec.OOMAbove, spec.Notify} {
		keepOnExec(fd)
	}
	for i := range spec.Held {
		keepOnExec(spec.Hold + i)
	}
	unix.Exec("/proc/self/exe", spec.Args(), append(os.Environ(), "GOMAXPROCS=1"))
	loop.Run(*spec) // the image can't be executed
	os.Exit(0)
}

func keepOnExec(fd int) {
	if fd >= 0 {
		unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
	}
}
