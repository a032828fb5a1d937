package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// changes are the system calls before which a process may be killed: those
// that change a file, a mount, a namespace, a socket or another process.
var changes = map[uint64]string{
	unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "pwrite64", unix.SYS_WRITEV: "writev", unix.SYS_FTRUNCATE: "ftruncate",
	unix.SYS_RENAMEAT: "renameat", unix.SYS_RENAMEAT2: "renameat2", unix.SYS_UNLINKAT: "unlinkat",
	unix.SYS_MKDIRAT: "mkdirat", unix.SYS_LINKAT: "linkat", unix.SYS_SYMLINKAT: "symlinkat", unix.SYS_MKNODAT: "mknodat",
	unix.SYS_FCHMODAT: "fchmodat", unix.SYS_FCHOWNAT: "fchownat", unix.SYS_FCHMOD: "fchmod", unix.SYS_FCHOWN: "fchown",
	unix.SYS_FSYNC: "fsync", unix.SYS_FDATASYNC: "fdatasync", unix.SYS_SYNCFS: "syncfs", unix.SYS_SYNC: "sync",
	unix.SYS_MOUNT: "mount", unix.SYS_UMOUNT2: "umount2", unix.SYS_MOVE_MOUNT: "move_mount", unix.SYS_OPEN_TREE: "open_tree",
	unix.SYS_FSMOUNT: "fsmount", unix.SYS_FSCONFIG: "fsconfig", unix.SYS_MOUNT_SETATTR: "mount_setattr", unix.SYS_PIVOT_ROOT: "pivot_root",
	unix.SYS_UNSHARE: "unshare", unix.SYS_SETNS: "setns", unix.SYS_CLONE: "clone", unix.SYS_CLONE3: "clone3", unix.SYS_EXECVE: "execve",
	unix.SYS_SENDTO: "sendto", unix.SYS_SENDMSG: "sendmsg", unix.SYS_BIND: "bind", unix.SYS_FLOCK: "flock", unix.SYS_KILL: "kill",
	unix.SYS_SETXATTR: "setxattr", unix.SYS_FSETXATTR: "fsetxattr", unix.SYS_COPY_FILE_RANGE: "copy_file_range", unix.SYS_SENDFILE: "sendfile",
}

// The kinds of faults.
const (
	process = "process" // the process that is about to make the change is killed
	tree    = "tree"    // and all others of the command
	power   = "power"   // and all of the machine, and what is not on the disk is lost
	full    = "full"    // the change, if it is one of a file, fails as on a full disk
	broken  = "broken"  // and as on a broken one
)

var faults = []string{process, tree, power, full, broken}

// errnos are what changes of files fail with.
var errnos = map[string]syscall.Errno{full: syscall.ENOSPC, broken: syscall.EIO}

// fault says when what happens.
type fault struct {
	At   int // before this change, counted from 1 over all processes; 0 for never
	Kind string
}

// outcome is how a command with a fault ended.
type outcome struct {
	Changes int    // how many were made, or were about to be
	At      string // the change at which the fault came; "" for none
	Status  int    // of the command itself; -1 by a signal
	Output  string
}

// syscallInfo is struct ptrace_syscall_info of Linux.
type syscallInfo struct {
	Op   uint8
	_    [3]uint8
	Arch uint32
	IP   uint64
	SP   uint64
	Nr   uint64 // with op 1, entry
	Args [6]uint64
	_    [8]uint64
}

const (
	ptraceGetSyscallInfo = 0x420e
	syscallEntry         = 1
	traceOptions         = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC
)

// run runs a shell command with the fault. The caller must stay on its
// thread. Processes that outlive the command are let go when it has ended.
func run(command string, f fault) (outcome, error) {
	out, err := os.CreateTemp("", "crash-output-")
	if err != nil {
		return outcome{}, err
	}
	defer out.Close()
	os.Remove(out.Name())
	cmd := exec.Command("/bin/sh", "-c", "kill -STOP $$; exec "+command)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return outcome{}, err
	}
	root := cmd.Process.Pid
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(root, &ws, syscall.WUNTRACED, nil); err != nil || !ws.Stopped() {
		return outcome{}, fmt.Errorf("wait for the shell: %w", err)
	}
	if err := ptrace(unix.PTRACE_SEIZE, root, 0, traceOptions); err != nil {
		return outcome{}, fmt.Errorf("trace: %w", err)
	}
	t := tracer{root: root, fault: f, tracees: map[int]bool{root: true}, failing: map[int]bool{}}
	syscall.Kill(root, syscall.SIGCONT)
	if err := t.follow(); err != nil {
		return outcome{}, err
	}
	data := make([]byte, 64<<10)
	n, _ := out.ReadAt(data, 0)
	t.out.Output = strings.TrimSpace(string(data[:n]))
	return t.out, nil
}

type tracer struct {
	root    int
	fault   fault
	tracees map[int]bool
	failing map[int]bool // in a system call that is made to fail
	begun   bool         // the shell has executed the command
	ended   bool         // the command has ended
	out     outcome
}

// follow lets the tracees run until the command has ended, and then lets go of
// those that are left.
func (t *tracer) follow() error {
	for len(t.tracees) > 0 {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, syscall.WALL, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.ECHILD):
			return nil
		case err != nil:
			return err
		case ws.Exited() || ws.Signaled():
			delete(t.tracees, pid)
			if pid == t.root {
				t.out.Status = ws.ExitStatus() // -1 by a signal
				t.release()
			}
			continue
		}
		t.tracees[pid] = true
		t.stopped(pid, ws)
	}
	return nil
}

// release stops what outlived the command, so that it can be let go.
func (t *tracer) release() {
	t.ended = true
	for pid := range t.tracees {
		ptrace(unix.PTRACE_INTERRUPT, pid, 0, 0)
	}
}

func (t *tracer) stopped(pid int, ws syscall.WaitStatus) {
	signal := ws.StopSignal()
	event := int(ws) >> 16
	switch {
	case t.ended:
		if event != 0 || signal == syscall.SIGTRAP|0x80 {
			signal = 0
		}
		ptrace(unix.PTRACE_DETACH, pid, 0, uintptr(signal))
		delete(t.tracees, pid)
		return
	case signal == syscall.SIGTRAP|0x80:
		signal = 0
		if t.atChange(pid) {
			return
		}
	case event != 0:
		signal = 0
		t.begun = t.begun || event == unix.PTRACE_EVENT_EXEC
	}
	ptrace(unix.PTRACE_SYSCALL, pid, 0, uintptr(signal))
}

// atChange counts the system call that pid is about to make, and brings on the
// fault where its time has come. It returns whether pid is dead.
func (t *tracer) atChange(pid int) bool {
	if t.failing[pid] {
		delete(t.failing, pid)
		if err := endCall(pid, errnos[t.fault.Kind]); err != nil {
			t.out.At = "" // it wasn't to be
		}
		return false
	}
	var info syscallInfo
	if ptrace(ptraceGetSyscallInfo, pid, unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info))) != nil || info.Op != syscallEntry {
		return false
	}
	name, ok := changes[info.Nr]
	if !ok || !t.begun {
		return false
	}
	t.out.Changes++
	if t.out.Changes < t.fault.At || t.fault.At == 0 || t.out.At != "" {
		return false
	}
	group := groupOf(pid)
	at := name + " of " + nameOf(group)
	switch t.fault.Kind {
	case full, broken:
		if ofFile(pid, info) && skipCall(pid) == nil {
			t.failing[pid], t.out.At = true, at
		}
		return false // or the next change fails
	case process:
		syscall.Kill(group, syscall.SIGKILL)
	default:
		for tracee := range t.tracees {
			syscall.Kill(groupOf(tracee), syscall.SIGKILL)
		}
	}
	t.out.At = at
	return true
}

// ofFile says whether the system call changes a file of the store.
func ofFile(pid int, info syscallInfo) bool {
	switch info.Nr {
	case unix.SYS_WRITE, unix.SYS_PWRITE64, unix.SYS_WRITEV, unix.SYS_FTRUNCATE, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_SYNCFS:
		path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, info.Args[0]))
		return strings.HasPrefix(path, storeRoot)
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_MKDIRAT, unix.SYS_LINKAT, unix.SYS_SYMLINKAT, unix.SYS_FSETXATTR, unix.SYS_SETXATTR, unix.SYS_COPY_FILE_RANGE:
		return true
	}
	return false
}

func ptrace(request int, pid int, addr, data uintptr) error {
	if _, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, uintptr(request), uintptr(pid), addr, data, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// groupOf is the process that the thread belongs to.
func groupOf(tid int) int {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	_, rest, _ := strings.Cut(string(data), "\nTgid:")
	line, _, _ := strings.Cut(rest, "\n")
	if n, err := strconv.Atoi(strings.TrimSpace(line)); err == nil {
		return n
	}
	return tid
}

func nameOf(pid int) string {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return strings.TrimSpace(string(data))
}
