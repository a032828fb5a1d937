//go:build cgo && seccomp

package filter

/*
#cgo pkg-config: libseccomp
*/
import "C"

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/seccomp"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// Supported tells whether this program was built with seccomp.
const Supported = true

// Version is the library's that compiles.
func Version() string {
	major, minor, micro := seccomp.Version()
	return fmt.Sprintf("%d.%d.%d", major, minor, micro)
}

// compile has libseccomp turn a profile into a program, as libcontainer would.
func compile(s *specs.LinuxSeccomp) ([]byte, error) {
	config, err := specconv.SetupSeccomp(s)
	if err != nil {
		return nil, err
	}
	if config == nil {
		return nil, errors.New("the profile is empty")
	}
	action, err := actionOf(config.DefaultAction, config.DefaultErrnoRet)
	if err != nil {
		return nil, err
	}
	f, err := libseccomp.NewFilter(action)
	if err != nil {
		return nil, err
	}
	defer f.Release()
	for _, name := range config.Architectures {
		arch, err := libseccomp.GetArchFromString(name)
		if err != nil {
			return nil, err
		}
		if err := f.AddArch(arch); err != nil {
			return nil, err
		}
	}
	if len(config.Syscalls) > 32 {
		// A binary tree: few comparisons for each call. Old libraries have none.
		_ = f.SetOptimize(2)
	}
	for _, call := range config.Syscalls {
		if err := addRule(f, call, action); err != nil {
			return nil, fmt.Errorf("system call %q: %w", call.Name, err)
		}
	}
	return export(f)
}

func addRule(f *libseccomp.ScmpFilter, call *configs.Syscall, byDefault libseccomp.ScmpAction) error {
	action, err := actionOf(call.Action, call.ErrnoRet)
	if err != nil {
		return err
	}
	if action == byDefault {
		return nil
	}
	number, err := libseccomp.GetSyscallFromName(call.Name)
	if err != nil {
		// Not known on any architecture, so nobody can call it by number.
		return nil
	}
	if len(call.Args) == 0 {
		return f.AddRule(number, action)
	}
	conditions := make([]libseccomp.ScmpCondition, 0, len(call.Args))
	var seen [6]bool
	repeated := false
	for _, a := range call.Args {
		if a.Index >= uint(len(seen)) {
			return fmt.Errorf("there is no argument %d", a.Index)
		}
		repeated = repeated || seen[a.Index]
		seen[a.Index] = true
		c, err := conditionOf(a)
		if err != nil {
			return err
		}
		conditions = append(conditions, c)
	}
	if !repeated {
		return f.AddRuleConditional(number, action, conditions)
	}
	// The library can't have two conditions on an argument: each is a rule.
	for _, c := range conditions {
		if err := f.AddRuleConditional(number, action, []libseccomp.ScmpCondition{c}); err != nil {
			return err
		}
	}
	return nil
}

func export(f *libseccomp.ScmpFilter) ([]byte, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	read := make(chan error, 1)
	var program bytes.Buffer
	go func() {
		_, err := io.Copy(&program, r)
		read <- err
	}()
	err = errors.Join(f.ExportBPF(w), w.Close())
	if err = errors.Join(err, <-read); err != nil {
		return nil, err
	}
	if program.Len() == 0 || program.Len() > maxProgram {
		return nil, fmt.Errorf("the filter has %d bytes, the kernel takes %d", program.Len(), maxProgram)
	}
	return program.Bytes(), nil
}
