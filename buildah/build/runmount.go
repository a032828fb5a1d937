package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/podsuite/podsuite/buildah/build/fscopy"
	"github.com/podsuite/podsuite/buildah/dockerfile"
	"github.com/podsuite/podsuite/shared/errdef"
	"github.com/podsuite/podsuite/shared/rootfs"
)

// maxSecret is the size of the largest secret, in bytes.
const maxSecret = 512 << 10

// mounts adds what RUN --mount asks for.
func (r *runStep) mounts(ctx context.Context, spec *specs.Spec, bundle string) error {
	vars := r.s.vars()
	for i, m := range r.inst.Mounts {
		words, err := r.s.expand.All([]string{m.Source, m.From, m.Target, m.ID}, vars)
		if err != nil {
			return err
		}
		m.Source, m.From, m.Target, m.ID = words[0], words[1], words[2], words[3]
		if m.Target != "" && !path.IsAbs(m.Target) {
			m.Target = path.Join("/", r.s.doc.Config.WorkingDir, m.Target)
		}
		switch m.Type {
		case "bind":
			err = r.bindMount(ctx, spec, bundle, i, m)
		case "tmpfs":
			options := []string{"nosuid", "nodev", "mode=1777"}
			if m.Size > 0 {
				options = append(options, "size="+strconv.FormatInt(m.Size, 10))
			}
			spec.Mounts = append(spec.Mounts, specs.Mount{Destination: m.Target, Type: "tmpfs", Source: "tmpfs", Options: options})
		case "cache":
			err = r.cacheMount(ctx, spec, m)
		case "secret":
			err = r.secretMount(spec, bundle, i, m)
		case "ssh":
			err = r.sshMount(spec, bundle, i, m)
		}
		if err != nil {
			return fmt.Errorf("resolving mountpoints for container %q: %w", r.s.container, err)
		}
	}
	return nil
}

// bindMount shows a part of the context, a stage or an image. What the step
// writes to it goes with the step.
func (r *runStep) bindMount(ctx context.Context, spec *specs.Spec, bundle string, n int, m dockerfile.Mount) error {
	source, err := r.mountSource(ctx, m)
	if err != nil {
		return err
	}
	mount := specs.Mount{Destination: m.Target, Type: "bind", Source: source, Options: []string{"rbind", "bind", "nosuid", "nodev", "rprivate"}}
	if m.ReadOnly {
		mount.Options = append(mount.Options, "ro")
	} else if mount, err = scratch(bundle, fmt.Sprintf("bind-%d", n), mount); err != nil {
		return err
	}
	spec.Mounts = append(spec.Mounts, mount)
	return nil
}

// scratch makes a mount one whose changes nobody else sees.
func scratch(bundle, name string, mount specs.Mount) (specs.Mount, error) {
	info, err := os.Stat(mount.Source)
	if err != nil {
		return mount, err
	}
	switch {
	case info.IsDir():
		mount, err = scratchOver(bundle, name, mount.Source, mount.Destination)
		mount.Options = append(mount.Options, "nosuid", "nodev")
		return mount, err
	case !info.Mode().IsRegular(): // a device of an image is the host's
		return mount, errdef.Newf(errdef.ErrInvalid, "mount source %q can't be written to for one step: it is neither a file nor a directory", mount.Source)
	}
	in, err := os.Open(mount.Source)
	if err != nil {
		return mount, err
	}
	defer in.Close()
	mount.Source = filepath.Join(bundle, name)
	out, err := os.OpenFile(mount.Source, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return mount, err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = likeOwner(mount.Source, in.Name())
	}
	return mount, errors.Join(err, out.Close())
}

// mountSource resolves a mount's source inside the tree that it is from.
func (r *runStep) mountSource(ctx context.Context, m dockerfile.Mount) (string, error) {
	dir := r.s.b.req.Context
	if dir == "" && m.From == "" {
		return "", errdef.Newf(errdef.ErrInvalid, "mount source %q: there is no context directory that it could be in", m.Source)
	}
	if m.From != "" {
		var err error
		if dir, _, err = r.s.b.source(ctx, m.From, r.s.planned.Index); err != nil {
			return "", err
		}
	}
	place, err := rootfs.ResolvePath(dir, cmp.Or(m.Source, "/"))
	if err != nil {
		return "", fmt.Errorf("mount source %q: %w", m.Source, err)
	}
	return place, nil
}

// mountInput is what a bind mount's content comes to: the image that it is
// from, or the digest of the files. The other kinds are no input: what they
// hold is not to matter for the outcome.
func (r *runStep) mountInput(ctx context.Context, m dockerfile.Mount) (string, error) {
	if m.Type != "bind" {
		return "", nil
	}
	words, err := r.s.expand.All([]string{m.Source, m.From}, r.s.vars())
	if err != nil {
		return "", err
	}
	dir, id := r.s.b.req.Context, ""
	if words[1] != "" {
		if dir, id, err = r.s.b.source(ctx, words[1], r.s.planned.Index); err != nil || id != "" {
			return id, err
		}
	}
	tree, err := r.s.b.tree(dir, nil)
	if err != nil {
		return "", err
	}
	sources, err := tree.List([]string{words[0]})
	if err != nil {
		return "", err
	}
	if err := tree.Hash(ctx, sources, r.s.b.memory); err != nil {
		return "", err
	}
	return fscopy.Digest(sources), nil
}

// secretMount gives a file or a variable that stays out of every layer. The
// copy lies in the container's run directory, readable by its user alone.
func (r *runStep) secretMount(spec *specs.Spec, bundle string, n int, m dockerfile.Mount) error {
	secret, ok := r.s.b.req.Secrets[m.ID]
	if !ok {
		if m.Required {
			return errdef.Newf(errdef.ErrNotFound, "secret required but no secret with id %q found", m.ID)
		}
		return nil
	}
	var content []byte
	if secret.Env != "" {
		content = []byte(os.Getenv(secret.Env))
	} else {
		info, err := os.Stat(secret.File)
		if err != nil {
			return err
		}
		if info.Size() > maxSecret {
			return errdef.Newf(errdef.ErrInvalid, "secret %q is larger than %d bytes", m.ID, maxSecret)
		}
		if content, err = os.ReadFile(secret.File); err != nil {
			return err
		}
	}
	if m.Env != "" {
		spec.Process.Env = setEnv(spec.Process.Env, m.Env+"="+string(content))
	}
	if m.Target == "" {
		return nil
	}
	mode := os.FileMode(m.Mode)
	if mode == 0 {
		mode = 0o400
	}
	name := fmt.Sprintf("secret-%d", n)
	if err := r.bindFile(spec, bundle, name, string(content), m.Target, mode); err != nil {
		return err
	}
	return os.Chown(filepath.Join(bundle, name), m.UID, m.GID)
}

// sshMount gives the step the user's SSH agent, or one that has the user's keys.
func (r *runStep) sshMount(spec *specs.Spec, bundle string, n int, m dockerfile.Mount) error {
	agent, ok := r.s.b.req.SSH[m.ID]
	if !ok {
		if m.Required {
			return errdef.Newf(errdef.ErrNotFound, "no ssh agent or keys with id %q were given", m.ID)
		}
		return nil
	}
	socket := filepath.Join(bundle, fmt.Sprintf("ssh-%d", n))
	stop, err := agent.serve(socket)
	if err != nil {
		return fmt.Errorf("ssh agent %q: %w", m.ID, err)
	}
	r.ends = append(r.ends, stop)
	mode := os.FileMode(m.Mode)
	if mode == 0 {
		mode = 0o600
	}
	if err := os.Chmod(socket, mode); err != nil {
		return err
	}
	if err := os.Chown(socket, m.UID, m.GID); err != nil {
		return err
	}
	if m.Target == "" {
		m.Target = fmt.Sprintf("/run/buildkit/ssh_agent.%d", n)
	}
	spec.Process.Env = setEnv(spec.Process.Env, "SSH_AUTH_SOCK="+m.Target)
	spec.Mounts = append(spec.Mounts, specs.Mount{Destination: m.Target, Type: "bind", Source: socket, Options: []string{"bind", "rprivate"}})
	return nil
}
