package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/podsuite/podsuite/shared/errdef"
)

// external drives an OCI runtime program through its command line.
type external struct {
	path string
	root string
	opts Options
}

func newExternal(name, root string, opts Options) (*external, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, errdef.Newf(errdef.ErrInvalid, "default OCI runtime %q not found: invalid argument", name)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("find OCI runtime %q: %w", name, err)
	}
	return &external{path: path, root: root, opts: opts}, nil
}

// command prepares a call; args start with the subcommand.
func (e *external) command(ctx context.Context, logFile string, args ...string) *exec.Cmd {
	all := []string{"--root", e.root}
	if e.opts.NoCgroups {
		all = append(all, "--cgroup-manager", "disabled") // crun's; others say that they can't
	} else if e.opts.SystemdCgroup {
		all = append(all, "--systemd-cgroup")
	}
	if e.opts.Debug {
		all = append(all, "--debug")
	}
	if logFile != "" {
		all = append(all, "--log", logFile, "--log-format", "json")
	}
	for _, flag := range e.opts.Flags {
		all = append(all, "--"+flag)
	}
	return exec.CommandContext(ctx, e.path, append(all, args...)...)
}

// run calls the runtime for its output; what it complains about is the error.
func (e *external) run(ctx context.Context, id, verb string, stdin []byte, args ...string) ([]byte, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	cmd := e.command(ctx, "", args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	if err := cmd.Run(); err != nil {
		return nil, e.failure(id, verb, err, complaint.String())
	}
	return out.Bytes(), nil
}

// failure classes the error of a call by what the program said.
func (e *external) failure(id, verb string, err error, said string) error {
	said = strings.TrimSpace(plainMessage(said))
	if said == "" {
		said = err.Error()
	}
	err = fmt.Errorf("%s container %q: %s", verb, id, said)
	switch {
	case strings.Contains(said, "does not exist") || strings.Contains(said, "error opening file") || strings.Contains(said, "no such file or directory"):
		return errdef.As(errdef.ErrNotFound, err)
	case strings.Contains(said, "already exists") || strings.Contains(said, "not running") || strings.Contains(said, "not stopped") ||
		strings.Contains(said, "not paused") || strings.Contains(said, "cannot start a") || strings.Contains(said, "already dead"):
		return errdef.As(errdef.ErrConflict, err)
	}
	return err
}

// plainMessage takes the messages out of log lines in the runtimes' formats.
func plainMessage(text string) string {
	var messages []string
	for line := range strings.Lines(text) {
		var entry struct {
			Level string `json:"level"`
			Msg   string `json:"msg"`
		}
		line = strings.TrimSpace(line)
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg != "" {
			if entry.Level == "error" || entry.Level == "fatal" {
				messages = append(messages, entry.Msg)
			}
			continue
		}
		if _, msg, ok := strings.Cut(line, "level=error msg="); ok {
			if plain, err := strconv.Unquote(msg); err == nil {
				msg = plain
			}
			line = msg
		}
		if line != "" {
			messages = append(messages, line)
		}
	}
	if len(messages) == 0 {
		return ""
	}
	return messages[len(messages)-1]
}

func (e *external) Start(ctx context.Context, id string) error {
	_, err := e.run(ctx, id, "start", nil, "start", id)
	return err
}

func (e *external) Kill(ctx context.Context, id string, sig unix.Signal, all bool) error {
	args := []string{"kill"}
	if all {
		args = append(args, "--all")
	}
	_, err := e.run(ctx, id, "signal", nil, append(args, id, strconv.Itoa(int(sig)))...)
	return err
}

func (e *external) State(ctx context.Context, id string) (*specs.State, error) {
	out, err := e.run(ctx, id, "read state of", nil, "state", id)
	if err != nil {
		return nil, err
	}
	state := new(specs.State)
	if err := json.Unmarshal(out, state); err != nil {
		return nil, fmt.Errorf("decode state of container %q: %w", id, err)
	}
	return state, nil
}

func (e *external) Delete(ctx context.Context, id string, force bool) error {
	args := []string{"delete"}
	if force {
		args = append(args, "--force")
	}
	_, err := e.run(ctx, id, "delete", nil, append(args, id)...)
	if err != nil && !errors.Is(err, errdef.ErrNotFound) {
		return err
	}
	if !unprivileged() && !e.opts.SystemdCgroup {
		return removeCgroups(CgroupsPath(e.opts, id), force)
	}
	return nil
}

func (e *external) Pause(ctx context.Context, id string) error {
	_, err := e.run(ctx, id, "pause", nil, "pause", id)
	return err
}

func (e *external) Resume(ctx context.Context, id string) error {
	_, err := e.run(ctx, id, "resume", nil, "resume", id)
	return err
}

func (e *external) Pids(ctx context.Context, id string) ([]int, error) {
	out, err := e.run(ctx, id, "list processes of", nil, "ps", "--format", "json", id)
	if err != nil {
		return nil, err
	}
	var pids []int
	if err := json.Unmarshal(out, &pids); err != nil {
		return nil, fmt.Errorf("decode processes of container %q: %w", id, err)
	}
	return pids, nil
}

func (e *external) Update(ctx context.Context, id string, res *specs.LinuxResources) error {
	data, err := json.Marshal(res)
	if err != nil {
		return fmt.Errorf("encode limits of container %q: %w", id, err)
	}
	_, err = e.run(ctx, id, "update", data, "update", "--resources", "-", id)
	return err
}

// writeJSON writes a file for the runtime program to read.
func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}
