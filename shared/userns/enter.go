package userns

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// Variables between a process and its next self.
const (
	envDir   = "_PODSUITE_USERNS_DIR" // the state directory, where it isn't the default
	envTried = "_PODSUITE_USERNS_TRIED"
	envPause = "_PODSUITE_PAUSE"
)

// Enter makes sure that this process runs inside the invoking user's user and
// mount namespace, and does nothing for root. When the namespace has to be
// made, or the constructor didn't look in stateDir ("" means StateDir), it
// executes the program again with the same arguments and doesn't return: call
// it before anything is opened or written. Warnings go to standard error.
//
// A new pause process is in the control group of this one, and would end with
// the service that this one belongs to: free moves it elsewhere; with nil it
// stays.
func Enter(stateDir string, free func(pid int)) error {
	state, cause := constructed()
	switch {
	case state == stateJoined:
		os.Unsetenv(envTried)
		setMarks()
		return nil
	case os.Geteuid() == 0 && state != stateStuck:
		return nil // root, or the child of a process that is inside
	case state == stateStuck:
		return errdef.Newf(errdef.ErrUnavailable, "join the user namespace: %w", cause)
	case os.Getenv(envTried) != "":
		if cause == nil {
			cause = fmt.Errorf("the process that keeps it is gone")
		}
		os.Unsetenv(envTried)
		return errdef.Newf(errdef.ErrUnavailable, "join the user namespace: %w", cause)
	}
	def, err := StateDir()
	if err != nil {
		return err
	}
	if stateDir == "" {
		stateDir = def
	}
	if stateDir != def {
		os.Setenv(envDir, stateDir)
	}
	if err := ensurePause(stateDir, free); err != nil {
		return err
	}
	return again()
}

// ensurePause leaves a live pause process recorded in dir.
func ensurePause(dir string, free func(pid int)) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %q: %w", dir, err)
	}
	if err := ownDir(dir); err != nil {
		return err
	}
	pidFile := filepath.Join(dir, "pause.pid")
	if pausePid(pidFile) != 0 {
		return nil
	}
	lock, err := os.OpenFile(filepath.Join(dir, "pause.lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := flock(lock); err != nil {
		return fmt.Errorf("lock %q: %w", lock.Name(), err)
	}
	if pausePid(pidFile) != 0 {
		return nil
	}
	return startPause(pidFile, free)
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			return err
		}
	}
}

// again executes this program anew; its constructor joins.
func again() error {
	env := append(os.Environ(), envTried+"=1")
	if err := syscall.Exec("/proc/self/exe", os.Args, env); err != nil {
		return fmt.Errorf("execute this program again: %w", err)
	}
	return nil
}
