package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime/internal/filter"
)

func (b *builtin) Exec(ctx context.Context, id string, proc Process) (started Started, err error) {
	if err := ctx.Err(); err != nil {
		return Started{}, err
	}
	if err := validateProcess(proc.Process); err != nil {
		return Started{}, err
	}
	defer WarmCgroups()()
	s, err := b.load(id)
	if err != nil {
		return Started{}, err
	}
	status, err := b.status(s)
	switch {
	case err != nil:
		return Started{}, err
	case status == specs.StateStopped:
		return Started{}, errdef.Newf(errdef.ErrConflict, "exec in container %q: container is not running", id)
	case status == statePaused:
		return Started{}, errdef.Newf(errdef.ErrConflict, "exec in container %q: container is paused", id)
	}
	pidfd, err := s.open()
	if err != nil {
		return Started{}, errdef.Newf(errdef.ErrConflict, "exec in container %q: container is not running", id)
	}
	init := os.NewFile(uintptr(pidfd), "init")
	p, limits, err := b.planExec(s, &proc, init)
	if err != nil {
		init.Close()
		return Started{}, err
	}
	defer p.close()
	child, err := spawn(p, [3]*os.File{proc.Stdin, proc.Stdout, proc.Stderr}, proc.ExtraFiles)
	if err != nil {
		return Started{}, err
	}
	defer child.conn.Close()
	started.Console, err = child.follow(func(sync int) (bool, error) {
		if sync == syncGroup {
			return true, errors.Join(s.enter(child.pid), setOOMScore(child.pid, proc.Process))
		}
		return false, errors.Join(ownStreams(child.pid, &proc.Process.User, proc.Stdin, proc.Stdout, proc.Stderr), adjust(child.pid, proc.Process, limits))
	})
	if err == nil {
		err = child.resume()
	}
	if err == nil {
		err = child.executed()
	}
	if err != nil {
		child.kill()
		if started.Console != nil {
			started.Console.Close()
		}
		return Started{}, err
	}
	started.Pid = child.pid
	return started, nil
}

// executed waits until the command runs: the socket closes when it does.
func (s *spawned) executed() error {
	for {
		_, ended, err := s.next()
		if ended || err != nil {
			return err
		}
	}
}

// planExec writes the program of a process that joins the container of init.
func (b *builtin) planExec(s *state, proc *Process, init *os.File) (*program, []rlimit, error) {
	spec := *proc.Process
	if spec.Capabilities == nil {
		spec.Capabilities = s.Capabilities
	}
	if spec.ApparmorProfile == "" {
		spec.ApparmorProfile = s.Apparmor
	}
	if spec.SelinuxLabel == "" {
		spec.SelinuxLabel = s.SelinuxLabel
	}
	limits := s.Rlimits
	if len(spec.Rlimits) > 0 {
		var err error
		if limits, err = rlimits(spec.Rlimits); err != nil {
			return nil, nil, err
		}
	}
	var program []byte
	if s.Filtered {
		var err error
		if program, err = filter.Read(filepath.Join(b.root, s.ID, containerFilter)); err != nil {
			return nil, nil, err
		}
	}
	flags, err := otherNamespaces(s.Pid)
	if err != nil {
		return nil, nil, fmt.Errorf("exec in container %q: %w", s.ID, err)
	}
	p := newProgram(len(proc.ExtraFiles))
	// The group first: a namespace of control groups has no way to ours.
	p.add("", op{code: opSync, a: syncGroup})
	p.add("join container", op{code: opSetns, fd: p.file(init), a: flags})
	if flags&unix.CLONE_NEWUSER != 0 {
		p.add("", op{code: opBecomeRoot})
	}
	if flags&unix.CLONE_NEWPID != 0 {
		p.add("enter pid namespace", op{code: opFork})
	}
	p.add("", op{code: opHere})
	if labelled(&spec) {
		p.add("", op{code: opProc})
	}
	if spec.Terminal {
		x := op{code: opConsole, a: uint64(spec.User.UID)}
		if size := spec.ConsoleSize; size != nil {
			x.b, x.c = uint64(size.Height), uint64(size.Width)
		}
		p.add("make terminal", x)
	} else {
		p.add("", op{code: opSetsid})
	}
	if !b.opts.NoKeyring {
		p.add("", op{code: opKeyring, s1: p.str("_ses." + s.ID)})
	}
	planProcess(p, &spec, program, s.SeccompFlags)
	p.add("", op{code: opSync, a: syncReady})
	planCommand(p, &spec)
	return p, limits, nil
}

// otherNamespaces are the kinds of namespaces a process has that are not ours.
func otherNamespaces(pid int) (flags uint64, err error) {
	for name, flag := range map[string]uint64{"user": unix.CLONE_NEWUSER, "mnt": unix.CLONE_NEWNS, "pid": unix.CLONE_NEWPID, "net": unix.CLONE_NEWNET,
		"ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS, "cgroup": unix.CLONE_NEWCGROUP} {
		var its, ours unix.Stat_t
		if err := unix.Stat("/proc/"+strconv.Itoa(pid)+"/ns/"+name, &its); err != nil {
			return 0, fmt.Errorf("stat %s namespace: %w", name, err)
		}
		if err := unix.Stat("/proc/self/ns/"+name, &ours); err != nil {
			return 0, fmt.Errorf("stat %s namespace: %w", name, err)
		}
		if its.Ino != ours.Ino || its.Dev != ours.Dev {
			flags |= flag
		}
	}
	return flags, nil
}

// enter moves a process into the container's control groups.
func (s *state) enter(pid int) error {
	for _, dir := range s.CgroupPaths {
		if dir == "" {
			continue
		}
		err := cgroups.WriteCgroupProc(dir, pid)
		if err == nil {
			continue
		}
		if s.Cgroup.Systemd && cgroups.IsCgroup2UnifiedMode() {
			// From a login session the way to the container's group is
			// systemd's alone.
			if m, merr := s.manager(); merr == nil && m.AddPid("", pid) == nil {
				continue
			}
		}
		if s.Cgroup.Rootless && (errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EROFS) || errors.Is(err, os.ErrNotExist)) {
			continue
		}
		// On version 2 a container that has groups of its own has no process
		// in the outermost: then to where its first one is.
		if cgroups.IsCgroup2UnifiedMode() {
			own, perr := cgroups.ParseCgroupFile("/proc/" + strconv.Itoa(s.Pid) + "/cgroup")
			if perr == nil {
				err = cgroups.WriteCgroupProc(filepath.Join(cgroupMount, own[""]), pid)
			}
		}
		if err != nil {
			return fmt.Errorf("enter control group of container %q: %w", s.ID, err)
		}
	}
	return nil
}
