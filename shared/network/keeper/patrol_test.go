package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/network/names"
)

// shortRound is what the tests' keepers have for both their times.
const shortRound = 20 * time.Millisecond

// TestMain is also the keeper.
func TestMain(m *testing.M) {
	if os.Args[0] == names.Program {
		run(shortRound, shortRound)
	}
	os.Exit(m.Run())
}

// startNet starts a program in a network namespace of its own.
func startNet(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

// TestEnds has a keeper with one container lose what it is there for, without
// anybody telling it.
func TestEnds(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for name, lose := range map[string]func(run string, container *exec.Cmd) error{
		"the run directory": func(run string, _ *exec.Cmd) error { return os.RemoveAll(run) },
		"its place": func(run string, _ *exec.Cmd) error {
			return os.WriteFile(filepath.Join(run, "keeper.pid"), []byte("1"), 0o600)
		},
		"the container": func(_ string, container *exec.Cmd) error {
			defer container.Wait()
			return container.Process.Kill()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run, ns := filepath.Join(dir, "run"), filepath.Join(dir, "ns")
			lease := filepath.Join(run, "leases", "podman")
			if err := os.MkdirAll(lease, 0o700); err != nil {
				t.Fatal(err)
			}
			container := startNet(t, exec.Command("sleep", "1000"))
			if err := os.WriteFile(ns, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mount("/proc/"+strconv.Itoa(container.Process.Pid)+"/ns/net", ns, "", unix.MS_BIND, ""); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Unmount(ns, unix.MNT_DETACH) })
			if err := os.Symlink("id:"+ns, filepath.Join(lease, "10.88.0.2")); err != nil {
				t.Fatal(err)
			}
			listen, err := names.Listen(run)
			if err != nil {
				t.Fatal(err)
			}
			defer listen.Close()
			keeper := exec.Command("/proc/self/exe", run, filepath.Join(run, "rules"), filepath.Join(run, "leases"))
			keeper.Args[0], keeper.ExtraFiles = names.Program, []*os.File{listen}
			startNet(t, keeper)
			ended := make(chan error, 1)
			go func() { ended <- keeper.Wait() }()
			signed := func() bool {
				pid, _ := os.ReadFile(filepath.Join(run, "keeper.pid"))
				return string(pid) == strconv.Itoa(keeper.Process.Pid)
			}
			for deadline := time.Now().Add(30 * time.Second); !signed() && time.Now().Before(deadline); {
				time.Sleep(shortRound)
			}
			select {
			case err := <-ended:
				t.Fatal("ended while its container lived", err)
			case <-time.After(10 * shortRound):
			}
			if err := lose(run, container); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Error("it lives on")
			}
		})
	}
}
