package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
	"github.com/podsuite/podsuite/shared/runtime"
)

// runStep is RUN with what it runs.
type runStep struct {
	s       *stage
	inst    *dockerfile.Run
	args    []string   // of the process
	script  string     // content of the one here-document that is the whole command
	network string     // networkPrivate, networkHost or networkNone
	host    string     // name that the process sees, "" = made of the container's ID
	links   addresses  // on the networks
	locks   []*os.File // on cache directories, until the step ends
	ends    []func()   // what else ends with the step
	binds   []specs.Mount

	stdin    *os.File
	terminal bool // the process gets one, and stdin is its keyboard
}

func (s *stage) runAction(step *dockerfile.Step, inst *dockerfile.Run) (*action, error) {
	if err := s.b.req.Run.checkStep(inst); err != nil { // a trigger of the base image's: others were looked at before
		return nil, err
	}
	r := &runStep{s: s, inst: inst, network: s.b.networkOf(inst.Network), stdin: s.b.req.Stdin}
	r.command()
	args := s.argList()
	line := "/bin/sh -c " + afterKeyword(step.Original)
	if len(args) > 0 {
		line = fmt.Sprintf("|%d %s %s", len(args), strings.Join(args, " "), line)
	}
	for _, doc := range inst.Heredocs {
		line += "\n" + strings.TrimSuffix(doc.Content, "\n")
	}
	a := &action{config: func() error { return nil }, created: func() string { return line }}
	a.files = func(ctx context.Context) error {
		a.wrote = true
		return r.do(ctx)
	}
	a.inputs = func(ctx context.Context) ([]string, error) {
		inputs := append(slices.Clone(args), r.network)
		for _, d := range inst.Devices {
			name, err := s.expand.Word(d.Name, s.vars())
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, "device "+name)
		}
		inputs = append(inputs, s.shell()...)
		for _, m := range inst.Mounts {
			input, err := r.mountInput(ctx, m)
			if err != nil {
				return nil, err
			}
			inputs = append(inputs, input)
		}
		return inputs, nil
	}
	return a, nil
}

// afterKeyword is an instruction's text without its first word.
func afterKeyword(original string) string {
	original = strings.TrimSpace(original)
	if i := strings.IndexAny(original, " \t"); i >= 0 {
		return strings.TrimLeft(original[i:], " \t")
	}
	return ""
}

// command makes the process's arguments. Here-documents go to the shell with
// the line that reads them; one that is the whole line is the script itself.
func (r *runStep) command() {
	if !r.inst.Shell {
		r.args = r.inst.Args
		return
	}
	line := r.inst.Args[0]
	docs := r.inst.Heredocs
	if len(docs) == 1 && isBareHeredoc(line) {
		line = docs[0].Content
		if strings.HasPrefix(line, "#!") {
			r.script = line
			r.args = []string{scriptTarget}
			return
		}
	} else {
		for _, doc := range docs {
			line += "\n" + doc.Content + doc.Name
		}
	}
	r.args = append(slices.Clone(r.s.shell()), line)
}

// scriptTarget is where a here-document with an interpreter line of its own is
// mounted.
const scriptTarget = "/dev/.run-script"

func isBareHeredoc(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "<<") && !strings.ContainsAny(line, " \t\n")
}

// do runs the command in the working container.
func (r *runStep) do(ctx context.Context) (err error) {
	s := r.s
	if err := s.ensure(); err != nil {
		return err
	}
	bundle := s.runDir() + "/bundle"
	if err := os.MkdirAll(bundle, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(bundle)
	defer func() {
		for _, f := range r.locks {
			f.Close()
		}
		for _, end := range r.ends {
			end()
		}
	}()
	if names, ok := r.networkNames(); ok {
		var disconnect func() error
		if r.links, disconnect, err = s.connect(ctx, names); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, disconnect()) }()
	}
	spec, err := r.spec(ctx, bundle)
	if err != nil {
		return err
	}
	root, err := fscopy.OpenRoot(s.root)
	if err != nil {
		return err
	}
	defer root.Close()
	made, err := missingTargets(s.root, spec.Mounts)
	if err != nil {
		return err
	}
	err = r.execute(ctx, bundle, spec)
	for _, target := range made {
		if removeErr := fscopy.RemoveEmpty(root, target); err == nil && removeErr != nil && !errors.Is(removeErr, os.ErrNotExist) {
			err = fmt.Errorf("remove mount point %q: %w", target, removeErr)
		}
	}
	return err
}

// missingTargets lists the mount points outside of the kernel's directories that the runtime is
// going to make, and which are no part of the image; the deepest come first.
func missingTargets(root string, mounts []specs.Mount) ([]string, error) {
	var made []string
	for _, m := range mounts {
		if !slices.Contains(m.Options, "bind") && !slices.Contains(m.Options, "rbind") && m.Type != "tmpfs" && m.Type != "overlay" {
			continue
		}
		for dir := path.Clean(m.Destination); dir != "/" && !kernelDir(dir); dir = path.Dir(dir) {
			_, err := rootfs.Stat(root, dir)
			if err == nil {
				break
			}
			if !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
			if !slices.Contains(made, dir) {
				made = append(made, dir)
			}
		}
	}
	slices.SortFunc(made, func(a, b string) int { return len(b) - len(a) })
	return made, nil
}

// kernelDir tells whether the path lies in a file system that is mounted first.
func kernelDir(dir string) bool {
	for _, top := range []string{"/dev", "/proc", "/sys"} {
		if dir == top || strings.HasPrefix(dir, top+"/") {
			return true
		}
	}
	return false
}

// execute runs the container to its end.
func (r *runStep) execute(ctx context.Context, bundle string, spec *specs.Spec) error {
	s := r.s
	stdio, done, err := r.stdio()
	if err != nil {
		return err
	}
	defer done()
	spec.Process.Terminal = r.terminal
	defer func() { _ = s.b.rt.Delete(context.WithoutCancel(ctx), s.container, true) }()
	started, err := s.b.rt.Create(ctx, s.container, bundle, spec, stdio)
	if err == nil && started.Console != nil {
		defer relay(started.Console, r.stdin, s.b.out.stdout)()
	}
	if err == nil {
		err = s.b.rt.Start(ctx, s.container)
	}
	if err != nil {
		if code := runtime.ExitCode(err, 0); code != 0 {
			return &errdef.Exit{Code: 1, Err: fmt.Errorf("while running runtime: %w", err)}
		}
		return fmt.Errorf("while running runtime: %w", err)
	}
	status, err := s.wait(ctx, started.Pid)
	if err != nil {
		return err
	}
	if status != 0 {
		return &errdef.Exit{Code: status, Err: fmt.Errorf("while running runtime: exit status %d", status)}
	}
	return nil
}

// stdio are the files of the process; done waits until all that it wrote is out.
func (r *runStep) stdio() (stdio runtime.IO, done func(), err error) {
	if r.terminal {
		return runtime.IO{Terminal: true}, func() {}, nil
	}
	out, errs := r.s.outputs()
	stdout, doneOut, err := stream(out)
	if err != nil {
		return stdio, nil, err
	}
	stderr, doneErr, err := stream(errs)
	if err != nil {
		doneOut()
		return stdio, nil, err
	}
	return runtime.IO{Stdin: r.stdin, Stdout: stdout, Stderr: stderr}, func() { doneErr(); doneOut() }, nil
}

// wait waits for the process, and kills it when ctx ends.
func (s *stage) wait(ctx context.Context, pid int) (int, error) {
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ctx.Done():
			_ = s.b.rt.Kill(context.WithoutCancel(ctx), s.container, unix.SIGKILL, true)
		case <-ended:
		}
	}()
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("wait for process: %w", err)
		}
		break
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}
