package filter_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/runtime/internal/filter"
)

func profile() *specs.LinuxSeccomp {
	enosys, eperm := uint(unix.ENOSYS), uint(unix.EPERM)
	return &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, DefaultErrnoRet: &enosys, Architectures: []specs.Arch{specs.ArchX86_64},
		Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read", "write"}, Action: specs.ActAllow},
			{Names: []string{"socket"}, Action: specs.ActErrno, ErrnoRet: &eperm, Args: []specs.LinuxSeccompArg{{Index: 0, Value: 40, Op: specs.OpEqualTo}}},
		},
	}
}

// TestKeyTellsProfilesApart changes one thing at a time.
func TestKeyTellsProfilesApart(t *testing.T) {
	seen := map[string]string{filter.Key(profile()): "unchanged"}
	for name, change := range map[string]func(s *specs.LinuxSeccomp){
		"default action": func(s *specs.LinuxSeccomp) { s.DefaultAction = specs.ActAllow },
		"default errno":  func(s *specs.LinuxSeccomp) { *s.DefaultErrnoRet = 1 },
		"no errno":       func(s *specs.LinuxSeccomp) { s.DefaultErrnoRet = nil },
		"architecture":   func(s *specs.LinuxSeccomp) { s.Architectures = append(s.Architectures, specs.ArchX86) },
		"name":           func(s *specs.LinuxSeccomp) { s.Syscalls[0].Names[1] = "writev" },
		"name joined":    func(s *specs.LinuxSeccomp) { s.Syscalls[0].Names = []string{"readwrite"} },
		"name moved": func(s *specs.LinuxSeccomp) {
			s.Syscalls[0].Names = []string{"read"}
			s.Syscalls[1].Names = []string{"write", "socket"}
		},
		"action":   func(s *specs.LinuxSeccomp) { s.Syscalls[0].Action = specs.ActLog },
		"errno":    func(s *specs.LinuxSeccomp) { *s.Syscalls[1].ErrnoRet = 22 },
		"no rule":  func(s *specs.LinuxSeccomp) { s.Syscalls = s.Syscalls[:1] },
		"argument": func(s *specs.LinuxSeccomp) { s.Syscalls[1].Args[0].Index = 1 },
		"value":    func(s *specs.LinuxSeccomp) { s.Syscalls[1].Args[0].Value = 41 },
		"value 2":  func(s *specs.LinuxSeccomp) { s.Syscalls[1].Args[0].ValueTwo = 1 },
		"operator": func(s *specs.LinuxSeccomp) { s.Syscalls[1].Args[0].Op = specs.OpNotEqual },
		"no args":  func(s *specs.LinuxSeccomp) { s.Syscalls[1].Args = nil },
	} {
		s := profile()
		change(s)
		key := filter.Key(s)
		if other, ok := seen[key]; ok {
			t.Errorf("%q has the key of %q", name, other)
		}
		seen[key] = name
	}
}

func TestNotificationsAreRefused(t *testing.T) {
	for name, change := range map[string]func(s *specs.LinuxSeccomp){
		"listener": func(s *specs.LinuxSeccomp) { s.ListenerPath = "/x" },
		"notify":   func(s *specs.LinuxSeccomp) { s.Syscalls[0].Action = specs.ActNotify },
	} {
		s := profile()
		change(s)
		if _, err := filter.File(t.TempDir(), s); !errors.Is(err, errdef.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStoredFilterIsChecked(t *testing.T) {
	if !filter.Supported {
		t.Skip("needs a build with seccomp")
	}
	dir := filepath.Join(t.TempDir(), "filters")
	path, err := filter.File(dir, profile())
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func() error{
		"bit": func() error {
			return os.WriteFile(path, append(append([]byte{}, good[:len(good)-1]...), good[len(good)-1]^1), 0o600)
		},
		"short":  func() error { return os.Truncate(path, int64(len(good)-8)) },
		"empty":  func() error { return os.Truncate(path, 0) },
		"shared": func() error { return os.Chmod(path, 0o622) },
		"link": func() error {
			if err := os.Rename(path, path+".x"); err != nil {
				return err
			}
			return os.Symlink(path+".x", path)
		},
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := filter.Read(path); err == nil {
			t.Errorf("opened with %s", name)
		}
		// It is made anew.
		if _, err := filter.File(dir, profile()); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != string(good) {
			t.Errorf("after %s the filter is another: %v", name, err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 2 {
		t.Errorf("files left: %v, %v", left, err)
	}
}
